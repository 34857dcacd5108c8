import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { endorsedKeyId, predecessorsOf, signEndorsement } from './endorsement.ts'
import { keyIdOf, parseSigningKey, type SigningKey, type VerifyKeys } from './keys.ts'
import { loadSecret, replaceSecretFile, type SecretSource } from './secret.ts'

/**
 * The file of a signing key: the private key, and behind it what its predecessors said about it. One file, so that there is no
 * moment at which a key is in use whose endorsement is not there, or the other way round.
 */
export interface SigningFile {
  readonly key: SigningKey
  /** The oldest first; empty for a key that was never rotated. */
  readonly endorsements: readonly {
    /** The key that is endorsed. */
    readonly keyId: string
    readonly envelope: Uint8Array
  }[]
}

const BEGIN = '-----BEGIN ROADVEIL ENDORSEMENT-----'
const END = '-----END ROADVEIL ENDORSEMENT-----'

/** Reads a signing key file. Throws ERR_SECRET_FILE as `loadSecret` does, ERR_KEY_INVALID, ERR_ENDORSEMENT_INVALID for other content. */
export function readSigningFile(source: SecretSource): SigningFile {
  const bytes = loadSecret(source)
  try {
    const key = parseSigningKey(bytes, source.file)
    const blocks = bytes.toString('latin1').matchAll(new RegExp(`${BEGIN}([A-Za-z0-9+/=\\s]*)${END}`, 'g'))
    const envelopes = [...blocks].map(([, text = '']) => Buffer.from(text, 'base64'))
    return { key, endorsements: envelopes.map((envelope) => ({ keyId: endorsedKeyId(envelope), envelope })) }
  } finally {
    bytes.fill(0)
  }
}

/**
 * Puts a new key in the place of the old one, which endorses it and is gone then. Returns the new key.
 *
 * Throws ERR_SECRET_FILE; the old key is still in place then.
 */
export function rotateSigningFile(
  file: string,
  { key: old, endorsements }: SigningFile,
  about: { readonly device: string; readonly issuedAt: string },
): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  const next = { id: keyIdOf(privateKey), privateKey }
  const all = [...endorsements.map(({ envelope }) => envelope), signEndorsement({ ...about, next }, old)]
  const blocks = all.map((each) => `${BEGIN}\n${Buffer.from(each).toString('base64')}\n${END}\n`)
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const bytes = Buffer.from(`${pem.toString()}${blocks.join('')}`)
  try {
    replaceSecretFile(file, bytes)
  } finally {
    bytes.fill(0)
  }
  return next
}

/** The public halves of every key that the box has signed with. Throws what `predecessorsOf` throws. */
export function signersOf({ key, endorsements }: SigningFile, deviceId: string): VerifyKeys {
  const envelopes = endorsements.map(({ envelope }) => envelope)
  return new Map([...predecessorsOf(envelopes, deviceId), [key.id, createPublicKey(key.privateKey)]])
}
