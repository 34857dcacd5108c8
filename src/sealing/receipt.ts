import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import type { Receipt } from '../domain/receipt.ts'
import { RoadveilError } from '../errors.ts'
import { MAX_CHUNKS, MAX_RECEIPT_BYTES } from '../protocol/limits.ts'
import { signEnvelope, verifyEnvelope } from './dsse.ts'
import { parseStrictJson } from './json.ts'
import type { SigningKey, VerifyKeys } from './keys.ts'

/** Media type of the signed payload. */
export const RECEIPT_TYPE = 'application/vnd.roadveil.receipt.v1+json'

const receiptBase = {
  deviceId: slugSchema,
  evidenceId: z.uuid(),
  ciphertextSha256: z.string().regex(/^[0-9a-f]{64}$/),
  keyId: z.string().min(1).max(64),
  issuedAt: z.iso.datetime(),
}

/** What is signed. */
export const receiptSchema = z.discriminatedUnion('status', [
  z.strictObject({ status: z.enum(['stored', 'duplicate']), ...receiptBase }),
  z.strictObject({
    status: z.literal('incomplete'),
    ...receiptBase,
    missing: z
      .array(
        z
          .int()
          .min(0)
          .max(MAX_CHUNKS - 1),
      )
      .min(1)
      .max(MAX_CHUNKS),
  }),
  z.strictObject({
    status: z.literal('rejected'),
    ...receiptBase,
    reason: z.string().regex(/^ERR_[A-Z_]{1,60}$/),
  }),
])

/** Signs a receipt as the city. `keyId` is the signing key's. */
export function signReceipt(receipt: Omit<Receipt, 'keyId'>, key: SigningKey): Uint8Array {
  return signEnvelope(RECEIPT_TYPE, Buffer.from(JSON.stringify({ ...receipt, keyId: key.id })), key)
}

/**
 * Returns the receipt in an envelope that the city has signed for this device.
 *
 * Throws what `verifyEnvelope` does, and ERR_RECEIPT_INVALID when its form is wrong, it is for another device, or it names another
 * key than the one that signed it.
 */
export function verifyReceipt(
  bytes: Uint8Array,
  cityKeys: VerifyKeys,
  box: { readonly deviceId: string },
): Receipt {
  const { payload, keyId } = verifyEnvelope(bytes, RECEIPT_TYPE, cityKeys)
  const receipt = parseStrictJson(payload, receiptSchema, {
    maxBytes: MAX_RECEIPT_BYTES,
    code: 'ERR_RECEIPT_INVALID',
    what: 'the receipt',
  })
  if (receipt.deviceId !== box.deviceId) {
    throw new RoadveilError('ERR_RECEIPT_INVALID', `the receipt is for another device than ${box.deviceId}`)
  }
  if (receipt.keyId !== keyId) {
    throw new RoadveilError(
      'ERR_RECEIPT_INVALID',
      'the receipt names another key than the one that signed it',
    )
  }
  return receipt
}
