import type { Receipt } from '../domain/receipt.ts'
import { RoadveilError } from '../errors.ts'
import type { IncomingMessage } from '../protocol/connection.ts'
import { MAX_RECEIPT_BYTES } from '../protocol/limits.ts'
import { parseTopic, type Station } from '../protocol/topics.ts'
import type { Outbox } from './outbox.ts'

/**
 * Checks the signature, form and addressee of a receipt.
 *
 * @throws RoadveilError with the code of what is wrong.
 */
export type VerifyReceipt = (envelope: Uint8Array) => Receipt

/**
 * Reads a message as a receipt for something in the outbox. Only what comes out of here may settle evidence.
 *
 * @returns undefined for a sound receipt about what is not in the outbox any more: the broker may deliver twice.
 * @throws RoadveilError ERR_TOPIC, ERR_RECEIPT_FOREIGN, or what `verify` throws.
 */
export function readReceipt(
  message: IncomingMessage,
  station: Station,
  outbox: Outbox,
  verify: VerifyReceipt,
): Receipt | undefined {
  const topic = parseTopic(station.prefix, message.topic)
  if (topic.kind !== 'receipt' || topic.site !== station.site || topic.device !== station.device) {
    throw new RoadveilError('ERR_TOPIC', 'a message came that is not a receipt for this device')
  }
  if (message.payload.length > MAX_RECEIPT_BYTES) {
    throw new RoadveilError('ERR_MESSAGE', `a receipt has ${message.payload.length} bytes`)
  }
  const receipt = verify(message.payload)
  if (receipt.evidenceId !== topic.evidenceId || receipt.deviceId !== station.device) {
    throw new RoadveilError('ERR_RECEIPT_FOREIGN', 'a receipt came under a topic that it is not about')
  }
  const entry = outbox.find(receipt.evidenceId)
  if (entry && entry.ciphertextSha256 !== receipt.ciphertextSha256) {
    throw new RoadveilError('ERR_RECEIPT_FOREIGN', 'a receipt names another ciphertext than the one sent')
  }
  return entry && receipt
}
