import { isRoadveilError, type RoadveilError } from '../errors.ts'
import { backoffMs, pause } from '../waiting.ts'

/** Milliseconds before the first new try, and at most. */
export interface Backoff {
  readonly firstMs: number
  readonly mostMs: number
}

/**
 * Serves a connection and makes it again when it breaks, with growing pauses, until the signal is aborted.
 *
 * @param serve connects, calls `connected` when that worked, and works until the connection ends or the signal is aborted.
 * @param failed hears of every coded failure before the pause.
 * @throws what `serve` throws without a code of ours, which is a fault of the program.
 */
export async function keepConnected(
  serve: (connected: () => void) => Promise<void>,
  failed: (error: RoadveilError, attempt: number, delayMs: number) => void,
  backoff: Backoff,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  while (!ended(signal)) {
    try {
      await serve(() => (failures = 0))
    } catch (error) {
      if (ended(signal)) return
      if (!isRoadveilError(error)) throw error
      failures += 1
      const delayMs = backoffMs(failures, backoff.firstMs, backoff.mostMs)
      failed(error, failures, delayMs)
      await pause(delayMs, signal)
    }
  }
}

/** A call, because the compiler believes that nobody aborts a signal during an await. */
function ended(signal: AbortSignal): boolean {
  return signal.aborted
}
