import { readFileSync } from 'node:fs'
import type { Config } from '../../src/config/config.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { createLogger } from '../../src/log.ts'
import { runVault } from '../../src/vault/vault.ts'

/** A vault process for tests that kill it: `node vault-process.ts CONFIG.json`. */
const [, , file = ''] = process.argv
const config = JSON.parse(readFileSync(file, 'utf8')) as Config
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
try {
  await runVault(config, stop.signal, { logger: createLogger({ process: 'vault', level: 'info' }) })
} catch (error) {
  process.stdout.write(isRoadveilError(error) ? error.code : 'uncoded')
  process.exitCode = 1
}
