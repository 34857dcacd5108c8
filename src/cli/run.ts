import type { Command } from 'commander'
import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { RoadveilError } from '../errors.ts'
import { createLogger } from '../log.ts'
import { readConfig } from './config.ts'
import { openLogFile } from './log-file.ts'
import { configOption } from './options.ts'
import type { Output } from './output.ts'
import { stopSignals } from './signals.ts'
import { superviseProcess, type ProcessSpec } from './supervise.ts'

/** vault commits what it is working on, vision finishes the evidence that it is building and hands it over. */
const GRACE_MS = 45_000
const DELAYS_MS = {
  minDelayMs: 1_000,
  // Back at work within 10 s, however often: vision takes some seconds to load its networks.
  maxKilledDelayMs: 2_000,
  maxDelayMs: 30_000,
}

/** `roadveil run`: vision and vault, kept running until a signal. */
export function addRun(program: Command, output: Output): void {
  program
    .command('run')
    .summary('start the box: vision and vault')
    .description(
      'Starts both processes and keeps them running until Ctrl-C or SIGTERM. Log lines (JSON) go to stderr, ' +
        'and to one file a day if logs.directory is set. A second Ctrl-C stops at once.',
    )
    .addOption(configOption())
    .addHelpText('after', '\nExample:\n  roadveil run --config /etc/roadveil/roadveil.yaml')
    .action(async ({ config: file }: { readonly config: string }) => {
      await runBoth(await readConfig(file, 'all'), resolve(file), output)
    })
}

async function runBoth(config: Config, configFile: string, output: Output): Promise<void> {
  using signals = stopSignals()
  const { directory, level } = config.logs
  using logFile =
    directory === undefined
      ? undefined
      : openLogFile(directory, () => output.note('roadveil: cannot write the log file; going on without it'))
  const onLine = (line: string): void => {
    output.note(line)
    logFile?.write(line)
  }
  const logger = createLogger({
    process: 'cli',
    level,
    destination: { write: (line) => onLine(line.trimEnd()) },
  })

  // vision stops first, so that vault can still take what vision has built.
  const stopVision = new AbortController()
  const stopVault = new AbortController()
  const stop = (): void => stopVision.abort()
  signals.signal.addEventListener('abort', stop)
  if (signals.signal.aborted) stop()

  const options = { logger, onLine, graceMs: GRACE_MS, ...DELAYS_MS }
  const vault = superviseProcess(processSpec('vault', configFile), options, stopVault.signal).finally(stop)
  const vision = superviseProcess(processSpec('vision', configFile), options, stopVision.signal)
  const visionExit = await vision
  stopVault.abort()
  const vaultExit = await vault
  logger.info('stopped')
  if (visionExit === 3 || vaultExit === 3) {
    const role = vaultExit === 3 ? 'vault' : 'vision'
    throw new RoadveilError(
      'ERR_CONFIG_INVALID',
      `${role} cannot run with this config; its last lines say why`,
    )
  }
}

/**
 * What Node.js is told for vault: sealing makes much that is soon dropped, for which V8 would let the young heap grow to 128 MB. That
 * would save little time, and a box has little memory. systemd/roadveil-vault.service says the same.
 */
export const VAULT_RUNTIME: readonly string[] = ['--max-semi-space-size=2']

/**
 * How a process is started: by the same runtime and program, gone when this process dies (a killed `run` must not leave
 * a camera open), and without core dumps, which would hold pixels or keys. vision gets no way to the keys.
 */
function processSpec(role: 'vision' | 'vault', configFile: string): ProcessSpec {
  const [, program = ''] = process.argv
  const { CREDENTIALS_DIRECTORY: credentials, ...env } = process.env
  const runtime = role === 'vault' ? VAULT_RUNTIME : []
  return {
    role,
    command: 'setpriv',
    args: [
      ...['--pdeathsig', 'KILL', 'prlimit', '--core=0', process.execPath, ...runtime],
      ...[program, role, '--config', configFile],
    ],
    env: role === 'vault' && credentials !== undefined ? { ...env, CREDENTIALS_DIRECTORY: credentials } : env,
  }
}
