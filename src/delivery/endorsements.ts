import { isRoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { endorsementTopic, type Station } from '../protocol/topics.ts'

/** What an older signing key said about a newer one. */
export interface SignedEndorsement {
  /** The newer key. */
  readonly keyId: string
  readonly envelope: Uint8Array
}

/**
 * Tells the city of the signing keys that took the place of others, the oldest first, before anything comes that they signed.
 * A broker that refuses it does not hold up evidence: the city may have got the key from a human.
 */
export async function sendEndorsements(
  connection: BrokerConnection,
  deps: {
    readonly endorsements: readonly SignedEndorsement[]
    readonly station: Station
    readonly logger: Logger
  },
): Promise<void> {
  for (const { keyId, envelope } of deps.endorsements) {
    try {
      const topic = endorsementTopic(deps.station, keyId)
      await connection.publish(topic, Buffer.from(envelope), { retain: true })
    } catch (error) {
      if (!isRoadveilError(error) || connection.ended.aborted) throw error
      deps.logger.warn('the city does not get the endorsement of a signing key', { error })
    }
  }
}
