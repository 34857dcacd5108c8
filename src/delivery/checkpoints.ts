import { isRoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { checkpointTopic, type Station } from '../protocol/topics.ts'
import { pause } from '../waiting.ts'
import type { DeliveryTiming } from './timing.ts'

/** What the city should witness of the audit log. */
export interface CheckpointSource {
  /** The latest signed checkpoint, made now if it is time for one. */
  current(): { readonly envelope: Uint8Array } | undefined
}

/**
 * Sends the latest checkpoint over each new connection, and every later one, until the signal is aborted. Each is retained and
 * names those before it, so that a city that was away misses nothing. A broker that refuses them does not hold up evidence.
 */
export async function sendCheckpoints(
  connection: BrokerConnection,
  deps: {
    readonly source: CheckpointSource
    readonly station: Station
    readonly timing: DeliveryTiming
    readonly logger: Logger
  },
  signal: AbortSignal,
): Promise<void> {
  const { source, station, timing, logger } = deps
  let sent: Buffer | undefined
  while (!signal.aborted) {
    const checkpoint = source.current()
    const envelope = checkpoint && Buffer.from(checkpoint.envelope)
    let waitMs = timing.pollMs
    if (envelope && !sent?.equals(envelope)) {
      try {
        await connection.publish(checkpointTopic(station), envelope, { retain: true })
        sent = envelope
      } catch (error) {
        if (!isRoadveilError(error)) throw error
        // The end of the connection ends this too; what the broker refuses it refuses again.
        if (connection.ended.aborted) return
        logger.warn('the city gets no checkpoint of the audit log', { error })
        waitMs = timing.rejectedMs
      }
    }
    await pause(waitMs, signal)
  }
}
