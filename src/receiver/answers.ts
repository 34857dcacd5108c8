import type { Receipt } from '../domain/receipt.ts'
import type { Logger } from '../log.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { MESSAGE_EXPIRY_SECONDS } from '../protocol/limits.ts'
import { receiptTopic } from '../protocol/topics.ts'
import type { SigningKey } from '../sealing/keys.ts'
import { signReceipt } from '../sealing/receipt.ts'

/** Which evidence an answer is about. */
export interface Subject {
  readonly site: string
  readonly device: string
  readonly evidenceId: string
  readonly ciphertextSha256: string
}

/** The city's word on it. */
export type Verdict =
  | { readonly status: 'stored' | 'duplicate' }
  | { readonly status: 'incomplete'; readonly missing: readonly number[] }
  | { readonly status: 'rejected'; readonly reason: string }

/** Signs receipts and sends them. */
export interface Answers {
  /** Sends at once, or when there is a connection. Never waits and never fails: a box that hears nothing asks again. */
  send(subject: Subject, verdict: Verdict): void
  /** Uses this connection from now on. */
  attach(connection: BrokerConnection): void
  detach(): void
}

/** Receipts that wait for the broker; beyond that the boxes have to ask again. */
const MAX_WAITING = 1000

/** Creates the sender of one city's receipts. */
export function createAnswers(deps: {
  readonly prefix: string
  readonly key: SigningKey
  readonly logger: Logger
  readonly now: () => number
}): Answers {
  const { prefix, key, logger, now } = deps
  const unsent: { readonly topic: string; readonly payload: Buffer }[] = []
  let connection: BrokerConnection | undefined
  let sending = 0

  const publish = (to: BrokerConnection, topic: string, payload: Buffer): void => {
    sending += 1
    to.publish(topic, payload, { expirySeconds: MESSAGE_EXPIRY_SECONDS })
      .catch((error: unknown) => {
        logger.warn('a receipt was not sent', { error })
      })
      .finally(() => {
        sending -= 1
      })
  }

  return {
    send({ site, device, evidenceId, ciphertextSha256 }, verdict) {
      if (sending + unsent.length >= MAX_WAITING) {
        logger.warn('a receipt was dropped, because too many wait for the broker', { evidenceId, device })
        return
      }
      const issuedAt = new Date(now()).toISOString()
      const receipt: Omit<Receipt, 'keyId'> = {
        deviceId: device,
        evidenceId,
        ciphertextSha256,
        issuedAt,
        ...verdict,
      }
      const topic = receiptTopic({ prefix, site, device }, evidenceId)
      const payload = Buffer.from(signReceipt(receipt, key))
      if (connection) publish(connection, topic, payload)
      else unsent.push({ topic, payload })
    },
    attach(next) {
      connection = next
      for (const { topic, payload } of unsent.splice(0)) publish(next, topic, payload)
    },
    detach() {
      connection = undefined
    },
  }
}
