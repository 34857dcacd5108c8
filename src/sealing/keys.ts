import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { RoadveilError } from '../errors.ts'
import { createPublicFile, createSecretFile, loadSecret, type SecretSource } from './secret.ts'

/** An Ed25519 private key and the id of its public half. */
export interface SigningKey {
  readonly id: string
  readonly privateKey: KeyObject
}

/** Public keys whose signatures are believed, by key id. */
export type VerifyKeys = ReadonlyMap<string, KeyObject>

/** Id of a key: the first 16 hex digits of the SHA-256 of its public half's SubjectPublicKeyInfo (DER). */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return fingerprint(publicKey.export({ type: 'spki', format: 'der' }))
}

/** The first 16 hex digits of the SHA-256: enough to tell keys and recipients apart, not a proof. */
export function fingerprint(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

/**
 * Makes an Ed25519 key pair: the private key as PKCS #8 PEM with mode 0600, the public key as SPKI PEM for everyone.
 * Throws ERR_KEY_EXISTS rather than overwrite, ERR_SECRET_FILE when a file can't be written.
 */
export function createSigningKey(files: {
  readonly privateFile: string
  readonly publicFile: string
}): SigningKey {
  // Before anything is written: a new private key beside an old public one would be a puzzle.
  if (existsSync(files.publicFile))
    throw new RoadveilError('ERR_KEY_EXISTS', `${files.publicFile} is there already`)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  createSecretFile(files.privateFile, Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })))
  createPublicFile(files.publicFile, Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })))
  return { id: keyIdOf(publicKey), privateKey }
}

/** Reads an Ed25519 private key (PEM). Throws ERR_SECRET_FILE as `loadSecret` does, ERR_KEY_INVALID for any other content. */
export function loadSigningKey(source: SecretSource): SigningKey {
  const pem = loadSecret(source)
  try {
    return parseSigningKey(pem, source.file)
  } finally {
    pem.fill(0)
  }
}

/** The Ed25519 private key in a text; what stands behind it is left alone. Throws ERR_KEY_INVALID, which names `file`. */
export function parseSigningKey(pem: Buffer, file: string): SigningKey {
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(pem)
  } catch {
    // OpenSSL's message could quote the key: no cause.
    throw new RoadveilError('ERR_KEY_INVALID', `${file} holds no private key in PEM`)
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new RoadveilError('ERR_KEY_INVALID', `${file} holds no Ed25519 key`)
  }
  return { id: keyIdOf(privateKey), privateKey }
}

/** Reads an Ed25519 public key (PEM). Throws ERR_KEY_INVALID when there is none in the file, or a private key instead. */
export function loadPublicKey(file: string): { readonly id: string; readonly publicKey: KeyObject } {
  let publicKey: KeyObject
  try {
    const pem = readFileSync(file, 'utf8')
    // createPublicKey also takes a private key; one that lies where a public key belongs is a leak to report.
    if (!pem.includes('BEGIN PUBLIC KEY')) throw new Error('not a public key')
    publicKey = createPublicKey(pem)
  } catch (cause) {
    throw new RoadveilError('ERR_KEY_INVALID', `cannot read a public key from ${file}`, { cause })
  }
  if (publicKey.asymmetricKeyType !== 'ed25519') {
    throw new RoadveilError('ERR_KEY_INVALID', `${file} holds no Ed25519 key`)
  }
  return { id: keyIdOf(publicKey), publicKey }
}
