import { appendFileSync, readFileSync } from 'node:fs'
import type { Config } from '../../src/config/config.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { createLogger } from '../../src/log.ts'
import { runVault } from '../../src/vault/vault.ts'

/** A vault process for tests that kill it: `node vault-process.ts CONFIG.json`. Its log goes to stderr, and to `CONFIG.json.log`. */
const [, , file = ''] = process.argv
const config = JSON.parse(readFileSync(file, 'utf8')) as Config
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
try {
  const write = (line: string): void => {
    process.stderr.write(line)
    appendFileSync(`${file}.log`, line)
  }
  const logger = createLogger({ process: 'vault', level: 'debug', destination: { write } })
  await runVault(config, stop.signal, { logger })
} catch (error) {
  process.stdout.write(isRoadveilError(error) ? error.code : 'uncoded')
  process.exitCode = 1
}
