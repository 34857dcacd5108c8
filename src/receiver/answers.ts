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

/** Signs receipts and sends them, and what else the city says to boxes. */
export interface Answers {
  /** Sends at once, or when there is a connection. Never waits and never fails: a box that hears nothing asks again. */
  send(subject: Subject, verdict: Verdict): void
  /** The same for what is signed already. */
  post(topic: string, payload: Buffer, expirySeconds: number): void
  /** Uses this connection from now on. */
  attach(connection: BrokerConnection): void
  detach(): void
}

interface Letter {
  readonly topic: string
  readonly payload: Buffer
  readonly expirySeconds: number
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
  const unsent: Letter[] = []
  let connection: BrokerConnection | undefined
  let sending = 0

  const publish = (to: BrokerConnection, { topic, payload, expirySeconds }: Letter): void => {
    sending += 1
    to.publish(topic, payload, { expirySeconds })
      .catch((error: unknown) => {
        logger.warn('an answer was not sent', { error })
      })
      .finally(() => {
        sending -= 1
      })
  }

  const post = (topic: string, payload: Buffer, expirySeconds: number): void => {
    if (sending + unsent.length >= MAX_WAITING) {
      logger.warn('an answer was dropped, because too many wait for the broker')
      return
    }
    const letter = { topic, payload, expirySeconds }
    if (connection) publish(connection, letter)
    else unsent.push(letter)
  }

  return {
    post,
    send({ site, device, evidenceId, ciphertextSha256 }, verdict) {
      const issuedAt = new Date(now()).toISOString()
      const receipt: Omit<Receipt, 'keyId'> = {
        deviceId: device,
        evidenceId,
        ciphertextSha256,
        issuedAt,
        ...verdict,
      }
      const topic = receiptTopic({ prefix, site, device }, evidenceId)
      post(topic, Buffer.from(signReceipt(receipt, key)), MESSAGE_EXPIRY_SECONDS)
    },
    attach(next) {
      connection = next
      for (const letter of unsent.splice(0)) publish(next, letter)
    },
    detach() {
      connection = undefined
    },
  }
}
