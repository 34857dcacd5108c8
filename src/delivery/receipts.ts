import type { Receipt } from '../domain/receipt.ts'
import { RoadveilError } from '../errors.ts'
import type { IncomingMessage } from '../protocol/connection.ts'
import { MAX_RECEIPT_BYTES } from '../protocol/limits.ts'
import { parseTopic, type Station } from '../protocol/topics.ts'

/**
 * Checks the signature, form and addressee of a receipt.
 *
 * @throws RoadveilError with the code of what is wrong.
 */
export type VerifyReceipt = (envelope: Uint8Array) => Receipt

/**
 * Reads a message as a receipt for this device. Only what comes out of here may settle evidence.
 *
 * @throws RoadveilError ERR_TOPIC, ERR_MESSAGE, ERR_RECEIPT_MISMATCH, or what `verify` throws.
 */
export function readReceipt(message: IncomingMessage, station: Station, verify: VerifyReceipt): Receipt {
  const topic = parseTopic(station.prefix, message.topic)
  if (topic.kind !== 'receipt' || topic.site !== station.site || topic.device !== station.device) {
    throw new RoadveilError('ERR_TOPIC', 'a message came that is not a receipt for this device')
  }
  if (message.payload.length > MAX_RECEIPT_BYTES) {
    throw new RoadveilError('ERR_MESSAGE', `a receipt has ${message.payload.length} bytes`)
  }
  const receipt = verify(message.payload)
  if (receipt.evidenceId !== topic.evidenceId || receipt.deviceId !== station.device) {
    throw new RoadveilError('ERR_RECEIPT_MISMATCH', 'a receipt came under a topic that it is not about')
  }
  return receipt
}
