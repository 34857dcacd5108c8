import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { armor, Decrypter, Encrypter } from 'age-encryption'
import { z } from 'zod'
import { RoadveilError } from '../errors.ts'
import { parseStrictJson } from './json.ts'
import { fingerprint } from './keys.ts'
import { createSecretFile, loadSecret, type SecretSource } from './secret.ts'

/**
 * The database key lies on the disk wrapped only: for the device key, which a TPM can guard as a systemd credential, and for the
 * city's recovery key. The second wrap is an age file, so that any age program opens it without this one.
 */

/** Device key and database key: random bytes, as they are. */
const KEY_BYTES = 32
const MAX_KEY_FILE_BYTES = 64 * 1024
const NONCE_BYTES = 12
const TAG_BYTES = 16

const keyId = z.string().regex(/^[0-9a-f]{16}$/)

const wrappedKeySchema = z.strictObject({
  keyId,
  /** One a device key that may open it; two while one takes the other's place. */
  device: z
    .array(z.strictObject({ deviceKeyId: keyId, nonce: z.base64(), sealed: z.base64() }))
    .max(4)
    .readonly(),
  /** An armored age file for the city's recovery key; null while the city has given none. */
  recovery: z.strictObject({ recipient: keyId, age: z.string().max(16_384) }).nullable(),
})

const keyFileSchema = z.strictObject({
  schema: z.literal('roadveil.database-key.v1'),
  /** The second one is there while a rotation is on its way: either may open the database. */
  keys: z.array(wrappedKeySchema).min(1).max(2),
})

/** A database key that only the device key or the city's recovery key gives back. */
export type WrappedKey = z.infer<typeof wrappedKeySchema>

/** What a key file holds; `plain` is how boxes were made before there were device keys. */
export type StoredDatabaseKey =
  | { readonly form: 'plain'; readonly key: Buffer }
  | { readonly form: 'wrapped'; readonly keys: readonly WrappedKey[] }

/** Makes a database key or a device key: 32 random bytes. */
export function randomKey(): Buffer {
  return randomBytes(KEY_BYTES)
}

/**
 * Makes a device key, and a database key that is wrapped for it and for the recovery recipient, where one is known already.
 *
 * Throws ERR_KEY_EXISTS rather than overwrite: without its key a database is lost.
 */
export async function createDatabaseKey(files: {
  readonly databaseKey: string
  readonly deviceKey: string
  readonly recovery?: string
}): Promise<void> {
  const { recovery } = files
  const deviceKey = randomKey()
  const wrapped = await wrapDatabaseKey(randomKey(), {
    deviceKeys: [deviceKey],
    ...(recovery !== undefined && { recovery }),
  })
  createSecretFile(files.deviceKey, deviceKey)
  createSecretFile(files.databaseKey, databaseKeyFile([wrapped]))
}

/** Reads a device key. Throws ERR_SECRET_FILE as `loadSecret` does, ERR_KEY_INVALID when it has another length. */
export function loadDeviceKey(source: SecretSource): Buffer {
  const key = loadSecret(source)
  if (key.length === KEY_BYTES) return key
  throw new RoadveilError('ERR_KEY_INVALID', `${source.file} has ${key.length} bytes, not ${KEY_BYTES}`)
}

/** Reads a database key file. Throws ERR_SECRET_FILE as `loadSecret` does, ERR_KEY_INVALID for any other content. */
export function readDatabaseKey(source: SecretSource): StoredDatabaseKey {
  const bytes = loadSecret(source)
  if (bytes.length === KEY_BYTES) return { form: 'plain', key: bytes }
  const { keys } = parseStrictJson(bytes, keyFileSchema, {
    maxBytes: MAX_KEY_FILE_BYTES,
    code: 'ERR_KEY_INVALID',
    what: source.file,
  })
  return { form: 'wrapped', keys }
}

/** The bytes of a database key file. */
export function databaseKeyFile(keys: readonly WrappedKey[]): Buffer {
  return Buffer.from(JSON.stringify({ schema: 'roadveil.database-key.v1', keys }, null, 2) + '\n')
}

/** Wraps a database key. Throws ERR_KEY_INVALID when the recovery recipient is none. */
export async function wrapDatabaseKey(
  key: Buffer,
  { deviceKeys, recovery }: { readonly deviceKeys: readonly Buffer[]; readonly recovery?: string },
): Promise<WrappedKey> {
  const id = fingerprint(key)
  return {
    keyId: id,
    device: deviceKeys.map((deviceKey) => sealForDevice(key, deviceKey, id)),
    recovery: recovery === undefined ? null : await sealForRecovery(key, recovery),
  }
}

/** Gives the database key back. Throws ERR_KEY_WRAP when it is not wrapped for this device key. */
export function unwrapForDevice({ keyId: id, device }: WrappedKey, deviceKey: Buffer): Buffer {
  const deviceKeyId = fingerprint(deviceKey)
  const wrap = device.find((each) => each.deviceKeyId === deviceKeyId)
  if (!wrap) {
    throw new RoadveilError(
      'ERR_KEY_WRAP',
      `the database key is not wrapped for the device key ${deviceKeyId}`,
    )
  }
  const sealed = Buffer.from(wrap.sealed, 'base64')
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      wrappingKey(deviceKey),
      Buffer.from(wrap.nonce, 'base64'),
      {
        authTagLength: TAG_BYTES,
      },
    )
    decipher.setAAD(Buffer.from(id))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()])
  } catch {
    throw new RoadveilError('ERR_KEY_WRAP', 'the wrapped database key was changed')
  }
}

/** Gives the database key back with the city's recovery identity (AGE-SECRET-KEY-…). Throws ERR_KEY_WRAP. */
export async function unwrapForRecovery(
  { recovery, keyId: id }: WrappedKey,
  identity: string,
): Promise<Buffer> {
  if (!recovery) throw new RoadveilError('ERR_KEY_WRAP', 'the database key has no wrap for a recovery key')
  let key: Buffer
  try {
    const decrypter = new Decrypter()
    decrypter.addIdentity(identity)
    key = Buffer.from(await decrypter.decrypt(armor.decode(recovery.age)))
  } catch {
    // age's message could quote the identity: no cause.
    throw new RoadveilError(
      'ERR_KEY_WRAP',
      'the identity does not open the recovery wrap of the database key',
    )
  }
  // Anybody can encrypt to a recipient: it must be the key that the device's wrap is about.
  if (key.length === KEY_BYTES && fingerprint(key) === id) return key
  throw new RoadveilError('ERR_KEY_WRAP', 'the recovery wrap holds another key')
}

function sealForDevice(key: Buffer, deviceKey: Buffer, id: string): WrappedKey['device'][number] {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(deviceKey), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(id))
  const sealed = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()])
  return {
    deviceKeyId: fingerprint(deviceKey),
    nonce: nonce.toString('base64'),
    sealed: sealed.toString('base64'),
  }
}

/** A key for this one purpose, so that the device key can guard other things, too. */
function wrappingKey(deviceKey: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', deviceKey, '', 'roadveil database key v1', KEY_BYTES))
}

async function sealForRecovery(key: Buffer, recipient: string): Promise<WrappedKey['recovery']> {
  const encrypter = new Encrypter()
  try {
    encrypter.addRecipient(recipient)
  } catch (cause) {
    throw new RoadveilError('ERR_KEY_INVALID', 'the recovery recipient is no age recipient', { cause })
  }
  return { recipient: fingerprint(recipient), age: armor.encode(await encrypter.encrypt(key)) }
}
