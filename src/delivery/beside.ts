import { isRoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { pause } from '../waiting.ts'
import type { DeliveryTiming } from './timing.ts'

/**
 * Sends again and again what goes to the city beside evidence, until the connection ends or the signal is aborted. What the broker
 * refuses it refuses again, so that is tried much later; it does not hold up evidence. Rejects when `send` fails in another way.
 *
 * @param send sends what there is now; true when there may be more at once
 */
export async function sendBeside(
  connection: BrokerConnection,
  deps: {
    readonly send: () => Promise<boolean>
    /** For the log, when it is refused. */
    readonly refused: string
    /** Ends the pause after what was sent from then on; asked for before each sending. */
    readonly wakes?: () => AbortSignal
    readonly timing: DeliveryTiming
    readonly logger: Logger
  },
  signal: AbortSignal,
): Promise<void> {
  const { send, refused, wakes, timing, logger } = deps
  while (!signal.aborted) {
    let until = wakes ? AbortSignal.any([signal, wakes()]) : signal
    let waitMs = timing.pollMs
    try {
      if (await send()) continue
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      if (connection.ended.aborted) return
      logger.warn(refused, { error })
      until = signal
      waitMs = timing.rejectedMs
    }
    await pause(waitMs, until)
  }
}
