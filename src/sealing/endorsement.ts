import { createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { MAX_ENDORSEMENT_BYTES } from '../protocol/limits.ts'
import { type StatementSender, verifyStatement } from './device-statement.ts'
import { peekPayload, signEnvelope } from './dsse.ts'
import { parseStrictJson } from './json.ts'
import { keyIdOf, type SigningKey, type VerifyKeys } from './keys.ts'

/** A box's word, signed with its old key, that it signs with another key from now on. */
export interface Endorsement {
  readonly device: string
  /** The key that endorses. */
  readonly previousKeyId: string
  /** The key that is endorsed. */
  readonly keyId: string
  readonly publicKey: KeyObject
  /** ISO 8601, UTC. */
  readonly issuedAt: string
}

/** Media type of the signed payload. */
export const ENDORSEMENT_TYPE = 'application/vnd.roadveil.endorsement.v1+json'
const fingerprint = z.string().regex(/^[0-9a-f]{16}$/)

/** What is signed. */
export const endorsementSchema = z.strictObject({
  schema: z.literal('roadveil.endorsement.v1'),
  device: slugSchema,
  previousKeyId: fingerprint,
  /** SubjectPublicKeyInfo of the old key, so that the chain can be followed backwards. */
  previousPublicKey: z.base64().max(100),
  keyId: fingerprint,
  publicKey: z.base64().max(100),
  issuedAt: z.iso.datetime({ precision: 3 }),
})

const FORM = {
  type: ENDORSEMENT_TYPE,
  schema: endorsementSchema,
  maxBytes: MAX_ENDORSEMENT_BYTES,
  code: 'ERR_ENDORSEMENT_INVALID',
  what: 'the endorsement',
} as const

/** Has the old key endorse the new one. */
export function signEndorsement(
  {
    device,
    issuedAt,
    next,
  }: { readonly device: string; readonly issuedAt: string; readonly next: SigningKey },
  old: SigningKey,
): Uint8Array {
  const payload: z.infer<typeof endorsementSchema> = {
    schema: 'roadveil.endorsement.v1',
    device,
    previousKeyId: old.id,
    previousPublicKey: spkiOf(old),
    keyId: next.id,
    publicKey: spkiOf(next),
    issuedAt,
  }
  return signEnvelope(ENDORSEMENT_TYPE, Buffer.from(JSON.stringify(payload)), old)
}

/**
 * Returns the endorsement in an envelope that `deviceId` has signed with one of its keys.
 *
 * Throws what `verifyEnvelope` does, and ERR_ENDORSEMENT_INVALID when its form is wrong, it speaks for another device, or a key is
 * not the one that its id says.
 */
export function verifyEndorsement(envelope: Uint8Array, sender: StatementSender): Endorsement {
  const { statement, keyId: signer } = verifyStatement(envelope, sender, FORM)
  const { device, previousKeyId, keyId, publicKey, issuedAt } = statement
  if (previousKeyId !== signer) {
    throw new RoadveilError(
      'ERR_ENDORSEMENT_INVALID',
      'the endorsement names another key than the one that signed it',
    )
  }
  return { device, previousKeyId, keyId, publicKey: readKey(publicKey, keyId), issuedAt }
}

/**
 * The keys of a box from its latest back to its first: each endorsement is the word of an older key, which it carries itself. For
 * the box's own use: what its own key file says is its own past.
 *
 * @throws what `verifyEndorsement` throws.
 */
export function predecessorsOf(endorsements: readonly Uint8Array[], deviceId: string): VerifyKeys {
  const keys = new Map<string, KeyObject>()
  for (const envelope of endorsements) {
    const { previousKeyId, previousPublicKey } = parsePayload(peekPayload(envelope, MAX_ENDORSEMENT_BYTES))
    const deviceKeys = new Map([[previousKeyId, readKey(previousPublicKey, previousKeyId)]])
    verifyEndorsement(envelope, { deviceId, deviceKeys })
    for (const [id, key] of deviceKeys) keys.set(id, key)
  }
  return keys
}

/** The key that an envelope endorses, before anything about it is believed. Throws ERR_ENVELOPE_MALFORMED, ERR_ENDORSEMENT_INVALID. */
export function endorsedKeyId(envelope: Uint8Array): string {
  return parsePayload(peekPayload(envelope, MAX_ENDORSEMENT_BYTES)).keyId
}

function parsePayload(payload: Uint8Array): z.infer<typeof endorsementSchema> {
  return parseStrictJson(payload, endorsementSchema, FORM)
}

function spkiOf({ privateKey }: SigningKey): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64')
}

function readKey(spki: string, keyId: string): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPublicKey({ key: Buffer.from(spki, 'base64'), type: 'spki', format: 'der' })
  } catch {
    // Not a key: answered below.
  }
  if (key?.asymmetricKeyType !== 'ed25519' || keyIdOf(key) !== keyId) {
    throw new RoadveilError(
      'ERR_ENDORSEMENT_INVALID',
      `the endorsement holds no Ed25519 key with the id ${keyId}`,
    )
  }
  return key
}
