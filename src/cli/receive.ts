import { Option, type Command } from 'commander'
import type { StoredEvidence } from '../receiver/incoming.ts'
import { createNotifier } from '../health/notify.ts'
import { createLogger } from '../log.ts'
import { forbidCoreDumps } from './core-dumps.ts'
import { LoggedError, type Output } from './output.ts'
import { stopSignals } from './signals.ts'
import { timeText } from './table.ts'

interface ReceiveOptions {
  readonly config: string
  readonly json?: true
}

/** `roadveil receive`: the city's side; a line on stdout for each evidence that was stored. */
export function addReceive(program: Command, output: Output): void {
  program
    .command('receive')
    .summary("the city's side: receive, check, open and store evidence")
    .description(
      'Receives evidence from the broker, checks and opens it, stores one folder each, and answers with a signed ' +
        'receipt. Runs until SIGTERM or Ctrl-C. A line on stdout for each evidence stored; log lines on stderr.',
    )
    .addOption(new Option('-c, --config <file>', "the receiver's config").default('receiver.yaml'))
    .addOption(new Option('--json', 'one CloudEvent a line, as JSON'))
    .addHelpText('after', '\nExample:\n  roadveil receive --config /etc/roadveil/receiver.yaml')
    .action(async ({ config: file, json }: ReceiveOptions) => {
      forbidCoreDumps()
      using signals = stopSignals()
      const { loadReceiverConfig } = await import('../receiver/config.ts')
      const { storedEvent } = await import('../receiver/event.ts')
      const { createReceiver } = await import('../receiver/receiver.ts')
      const config = await loadReceiverConfig(file)
      const logger = createLogger({ process: 'receiver', level: 'info' })
      const receiver = createReceiver(config, {
        logger,
        now: Date.now,
        env: process.env,
        stored: (evidence) =>
          output.answer(json ? JSON.stringify(storedEvent(evidence)) : storedText(evidence)),
      })
      const notifier = createNotifier({ env: process.env, logger }, signals.signal)
      signals.signal.addEventListener('abort', () => notifier.stopping(), { once: true })
      // Its config is good; a broker or database that is away is tried again, and no start waits for that.
      notifier.ready()
      try {
        await receiver.run(signals.signal)
      } catch (error) {
        logger.error('receiver stopped', { error })
        throw new LoggedError(error)
      }
    })
}

function storedText({ device, camera, rule, judgedAt, location }: StoredEvidence): string {
  return `${timeText(judgedAt)}  ${device}  ${camera}  ${rule}  ${location}`
}
