import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { type ErrorCode, isRoadveilError } from '../errors.ts'
import { createLogger, type Logger } from '../log.ts'
import { createNotifier } from '../health/notify.ts'
import { readConfig } from './config.ts'
import { forbidCoreDumps } from './core-dumps.ts'
import { configOption } from './options.ts'
import { LoggedError } from './output.ts'
import { stopSignals } from './signals.ts'

type Daemon = (
  config: Config,
  signal: AbortSignal,
  dependencies: { readonly logger: Logger; readonly onReady: () => void },
) => Promise<void>

/** Keys and stores that do not fit each other: starting again changes nothing, and a person has to put the right ones in place. */
const FOR_A_PERSON: ReadonlySet<ErrorCode> = new Set([
  'ERR_KEY_INVALID',
  'ERR_KEY_WRAP',
  'ERR_STORE_KEY',
  'ERR_STORE_PLAIN',
  'ERR_STORE_FOLDER',
  'ERR_STORE_EVIDENCE',
  'ERR_STORE_VERSION',
])

/** `roadveil vision`: the process that sees pixels. Its libraries are loaded only when it is the one that starts. */
export function addVision(program: Command): void {
  addDaemon(program, {
    role: 'vision',
    summary: 'start only the process that sees the cameras (for systemd)',
    description: 'Watches the cameras and builds redacted evidence. It reads no key and keeps nothing.',
    load: async () => (await import('../vision/vision.ts')).runVision,
  })
}

/** `roadveil vault`: the process that has keys, store and the way to the city. */
export function addVault(program: Command): void {
  addDaemon(program, {
    role: 'vault',
    summary: 'start only the process that seals, keeps and delivers (for systemd)',
    description: 'Takes redacted evidence from vision, seals and stores it, and delivers it to the city.',
    load: async () => (await import('../vault/vault.ts')).runVault,
  })
}

function addDaemon(
  program: Command,
  daemon: {
    readonly role: 'vision' | 'vault'
    readonly summary: string
    readonly description: string
    readonly load: () => Promise<Daemon>
  },
): void {
  const { role } = daemon
  program
    .command(role)
    .summary(daemon.summary)
    .description(
      `${daemon.description} Runs until SIGTERM or Ctrl-C. \`roadveil run\` starts both processes.`,
    )
    .addOption(configOption())
    .addHelpText('after', `\nExample:\n  roadveil ${role} --config /etc/roadveil/roadveil.yaml`)
    .action(async ({ config: file }: { readonly config: string }) => {
      forbidCoreDumps()
      using signals = stopSignals()
      const config = await readConfig(file, role)
      const logger = createLogger({ process: role, level: config.logs.level })
      try {
        const notifier = createNotifier({ env: process.env, logger }, signals.signal)
        signals.signal.addEventListener('abort', () => notifier.stopping(), { once: true })
        const run = await daemon.load()
        await run(config, signals.signal, { logger, onReady: () => notifier.ready() })
      } catch (error) {
        // What stops because it was told to is no failure.
        if (signals.signal.aborted && !isRoadveilError(error)) return
        logger.error(`${role} stopped`, { error })
        if (isRoadveilError(error) && FOR_A_PERSON.has(error.code)) throw new LoggedError(error, 3)
        throw new LoggedError(error)
      }
    })
}
