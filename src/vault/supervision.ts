import type { Logger } from '../log.ts'
import { backoffMs, pause } from '../waiting.ts'

const RESTART_MS = { first: 1_000, most: 60_000 } as const
const WATCH_EVERY_MS = 60_000

/** Runs a part of vault until the signal aborts; a part that fails is started again and never takes the others down. */
export async function keepRunning(
  part: string,
  run: (signal: AbortSignal) => Promise<void>,
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<void> {
  const stopped = (): boolean => signal.aborted
  for (let attempt = 1; !stopped(); attempt++) {
    try {
      await run(signal)
    } catch (error) {
      if (stopped()) return
      const delayMs = backoffMs(attempt, RESTART_MS.first, RESTART_MS.most)
      logger.error(`${part} failed and is started again`, { error, attempt, delayMs })
      await pause(delayMs, signal)
    }
  }
}

/** Logs each warning when it comes up and when it is over; looks once a minute. */
export async function logWarnings(
  readWarnings: () => Promise<readonly { readonly code: string; readonly message: string }[]>,
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<void> {
  let before = new Map<string, string>()
  for (;;) {
    await pause(WATCH_EVERY_MS, signal)
    if (signal.aborted) return
    const now = new Map((await readWarnings()).map((warning) => [warning.code, warning.message]))
    for (const [code, message] of now) if (!before.has(code)) logger.warn(message, { code })
    for (const code of before.keys()) if (!now.has(code)) logger.info('no longer so', { code })
    before = now
  }
}
