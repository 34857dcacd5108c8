import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { askVault } from '../../src/channel/control.ts'
import { connectVault } from '../../src/channel/link.ts'
import { VERSION } from '../../src/version.ts'
import { roadveil } from '../cli/roadveil.ts'
import { lackingForRecordings, refusingSyncs } from '../fault/power/recording.ts'
import { boxConfig, brokerlessTrial, writeBox } from '../support/box.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'

const lacking = await lackingForRecordings()
const VAULT = join(import.meta.dirname, '..', 'support', 'vault-process.ts')
const names = { site: 'main-street', device: 'box-1' }

await t.test(
  'a vault whose disk refuses a write ends, acknowledges nothing of it, and the next one says so',
  { skip: lacking ?? false },
  async (t) => {
    const trial = await brokerlessTrial(await shortFolder(t), names)
    writeBox(trial, names)
    const config = boxConfig(trial, names)
    const file = join(trial.box.directory, 'config.json')
    writeFileSync(file, JSON.stringify(config))
    // Behind everything that a start syncs.
    const refusing = refusingSyncs('30+', [process.execPath, VAULT, file])
    const start = (command: readonly string[]) => {
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      t.teardown(() => void child.kill('SIGKILL'))
      return child
    }
    const failing = start(['strace', ...refusing])
    const said = text(failing.stdout)
    const gone = once(failing, 'exit')

    const socketPath = join(config.runtimeDirectory, 'vault.sock')
    const hello = { version: VERSION, configSha256: config.sha256 }
    await using link = connectVault({ socketPath, hello, logger: keptLog() }, new AbortController().signal)
    const deliveries: Promise<unknown>[] = []
    let stored = 0
    for (let count = 0; count < 30; count++) {
      const evidence = syntheticEvidence({ ...names, configSha256: config.sha256, clipBytes: 1000 })
      deliveries.push(link.deliver(evidence).then(() => stored++))
    }
    t.same(await gone, [1, null])
    t.equal(await said, 'ERR_STORE_IO')
    const before = stored
    t.ok(before < deliveries.length, `${before} were acknowledged`)

    const { stderr } = await roadveil(['status', '--config', trial.box.config])
    t.match(stderr, /the disk refused a write .*ERR_STORE_IO/, 'said also while no vault answers')

    start([process.execPath, VAULT, file])
    await Promise.all(deliveries)
    const { warnings, store } = await askVault(config.runtimeDirectory, { verb: 'status' })
    t.match(
      warnings.find(({ code }) => code === 'ERR_STORE_IO'),
      { message: /refused a write/ },
    )
    t.equal(store.outbox, deliveries.length)
  },
)
