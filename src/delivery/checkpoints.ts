import type { Logger } from '../log.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { checkpointTopic, type Station } from '../protocol/topics.ts'
import { sendBeside } from './beside.ts'
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
export function sendCheckpoints(
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
  const send = async (): Promise<boolean> => {
    const checkpoint = source.current()
    const envelope = checkpoint && Buffer.from(checkpoint.envelope)
    if (!envelope || sent?.equals(envelope)) return false
    await connection.publish(checkpointTopic(station), envelope, { retain: true })
    sent = envelope
    return false
  }
  const refused = 'the city gets no checkpoint of the audit log'
  return sendBeside(connection, { send, refused, timing, logger }, signal)
}
