import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectVault } from '../../../src/channel/link.ts'
import type { Config } from '../../../src/config/config.ts'
import { VERSION } from '../../../src/version.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { keptLog } from '../../support/kept-log.ts'
import { PLATE } from './plate.ts'

/**
 * In place of vision: hands over synthetic evidence on the real channel without end, and says on stdout what vault has answered
 * `stored` to: `node stand-in.ts CONFIG.json`.
 */
const PAUSE_MS = 25
const [, , file = ''] = process.argv
const config = JSON.parse(readFileSync(file, 'utf8')) as Config
process.once('SIGTERM', () => process.exit())

const link = connectVault(
  {
    socketPath: join(config.runtimeDirectory, 'vault.sock'),
    hello: { version: VERSION, configSha256: config.sha256 },
    logger: keptLog(),
  },
  new AbortController().signal,
)
for (;;) {
  const evidence = syntheticEvidence({
    ...{ site: config.site.id, device: config.device.id, configSha256: config.sha256 },
    ...{ plateText: PLATE, clipBytes: 30_000 },
  })
  const answer = await link.deliver(evidence)
  writeSync(1, answer === 'stored' ? `stored ${evidence.facts.evidenceId}\n` : `refused ${answer.refused}\n`)
  await sleep(PAUSE_MS)
}
