import { sign, verify } from 'node:crypto'
import { z } from 'zod'
import { RoadveilError } from '../errors.ts'
import { MAX_MANIFEST_BYTES } from '../protocol/limits.ts'
import { parseStrictJson } from './json.ts'
import type { SigningKey, VerifyKeys } from './keys.ts'

/**
 * Signed envelopes after DSSE v1 (https://github.com/secure-systems-lab/dsse): the signature covers the payload together with
 * its type, so that what was signed for one purpose can't be used for another. Ed25519, exactly one signature, standard base64.
 */

const base64 = z
  .string()
  .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)
  // Spare bits of the last character must be zero: one payload, one spelling.
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text)

/** The envelope as it goes over the wire. */
export const envelopeSchema = z.strictObject({
  payloadType: z.string().min(1).max(200),
  payload: base64,
  signatures: z.array(z.strictObject({ keyid: z.string().min(1).max(64), sig: base64 })).length(1),
})

/** DSSE's pre-authentication encoding: what is really signed. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, 'utf8')
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  ])
}

/** The payload of an envelope before anything about it is believed. Throws ERR_ENVELOPE_MALFORMED. */
export function peekPayload(envelope: Uint8Array, maxBytes: number): Buffer {
  const { payload } = parseStrictJson(envelope, z.object({ payload: z.string() }), {
    maxBytes,
    code: 'ERR_ENVELOPE_MALFORMED',
    what: 'the envelope',
  })
  return Buffer.from(payload, 'base64')
}

/** Signs the payload for one purpose; returns the envelope as JSON bytes. */
export function signEnvelope(payloadType: string, payload: Uint8Array, key: SigningKey): Uint8Array {
  const sig = sign(null, preAuthEncoding(payloadType, payload), key.privateKey)
  return Buffer.from(
    JSON.stringify({
      payloadType,
      payload: Buffer.from(payload).toString('base64'),
      signatures: [{ keyid: key.id, sig: sig.toString('base64') }],
    }),
  )
}

/**
 * Returns the payload of an envelope that one of `keys` has signed for exactly this purpose.
 *
 * Throws ERR_ENVELOPE_MALFORMED (form or size), ERR_ENVELOPE_TYPE (another purpose), ERR_KEY_UNKNOWN, ERR_SIGNATURE_INVALID.
 */
export function verifyEnvelope(
  bytes: Uint8Array,
  payloadType: string,
  keys: VerifyKeys,
): { readonly payload: Uint8Array; readonly keyId: string } {
  const envelope = parseStrictJson(bytes, envelopeSchema, {
    // The manifest is the largest thing that is signed.
    maxBytes: MAX_MANIFEST_BYTES,
    code: 'ERR_ENVELOPE_MALFORMED',
    what: 'the envelope',
  })
  if (envelope.payloadType !== payloadType) {
    throw new RoadveilError('ERR_ENVELOPE_TYPE', `the envelope is not of type ${payloadType}`)
  }
  const [signature] = envelope.signatures
  const key = signature && keys.get(signature.keyid)
  if (!key) throw new RoadveilError('ERR_KEY_UNKNOWN', 'the envelope is signed with a key that is not known')

  const payload = Buffer.from(envelope.payload, 'base64')
  const signed = preAuthEncoding(payloadType, payload)
  if (
    key.asymmetricKeyType !== 'ed25519' ||
    !verify(null, signed, key, Buffer.from(signature.sig, 'base64'))
  ) {
    throw new RoadveilError('ERR_SIGNATURE_INVALID', `the signature of key ${signature.keyid} does not fit`)
  }
  return { payload, keyId: signature.keyid }
}
