import type { Logger } from '../log.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { CERTIFICATE_SLOTS } from '../protocol/limits.ts'
import { certificateTopic, type Station } from '../protocol/topics.ts'
import { sendBeside } from './beside.ts'
import type { DeliveryTiming } from './timing.ts'

/** The purge certificates of the box. */
export interface CertificateSource {
  /** The number of the last one; 0 while there is none. */
  newest(): number
  /** At most `limit` behind the one with this number, oldest first. */
  list(after: number, limit: number): readonly { readonly number: number; readonly envelope: Uint8Array }[]
}

/** Sends purge certificates over one connection after the other. */
export interface CertificateSender {
  /**
   * Sends what the broker did not get from this process, as it is issued, until the signal is aborted: the first time as many as the
   * broker keeps. A broker that refuses them does not hold up evidence.
   */
  run(connection: BrokerConnection, signal: AbortSignal): Promise<void>
}

const PAGE = 8

export function createCertificateSender(deps: {
  readonly source: CertificateSource
  readonly station: Station
  readonly timing: DeliveryTiming
  readonly logger: Logger
}): CertificateSender {
  const { source, station, timing, logger } = deps
  let through: number | undefined

  const sendPage = async (connection: BrokerConnection, after: number): Promise<number> => {
    let last = after
    for (const { number, envelope } of source.list(after, PAGE)) {
      await connection.publish(certificateTopic(station, number), Buffer.from(envelope), { retain: true })
      last = number
      through = number
    }
    return last
  }

  return {
    run(connection, signal) {
      const send = async (): Promise<boolean> => {
        const after = through ?? Math.max(0, source.newest() - CERTIFICATE_SLOTS)
        const last = await sendPage(connection, after)
        through ??= last
        return last > after
      }
      const refused = 'the city gets no purge certificate'
      return sendBeside(connection, { send, refused, timing, logger }, signal)
    },
  }
}
