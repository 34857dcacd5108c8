import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import {
  databaseKeyFile,
  loadDeviceKey,
  randomKey,
  readDatabaseKey,
  type StoredDatabaseKey,
  unwrapForRecovery,
  wrapDatabaseKey,
} from '../sealing/database-key.ts'
import { fingerprint } from '../sealing/keys.ts'
import { createSecretFile, credentialOf, replaceSecretFile, type SecretSource } from '../sealing/secret.ts'
import { readSigningFile, rotateSigningFile, type SigningFile } from '../sealing/signing-file.ts'
import { openAudit } from '../store/open.ts'
import { dropCopy, rekeyStore } from '../store/rekey.ts'
import {
  databaseKeySource,
  deviceKeySource,
  loadStoreKeys,
  openWith,
  signingKeySource,
  type StoreKeys,
  wipe,
} from './keys.ts'

/**
 * Changes of keys. Each holds the store alone while it works, so that no vault runs meanwhile and no two changes at once, and each
 * can be interrupted at any moment: what is on the disk then is the old state or the new one.
 */

/** Whose keys, and when. */
export interface KeyBox {
  readonly config: Config
  readonly env: Readonly<Record<string, string | undefined>>
  readonly at: EpochMs
}

/** Which key took the place of which. */
export interface Rotated {
  readonly previousKeyId: string
  readonly keyId: string
}

/**
 * Puts the store under a new database key. The key file names both until the new one is in use.
 *
 * @throws what `loadStoreKeys` and `rekeyStore` throw, ERR_KEY_CREDENTIAL, ERR_KEY_PLAIN for a key that is not wrapped.
 */
export async function rotateDatabaseKey({ config, env, at }: KeyBox): Promise<Rotated> {
  const source = refuseCredential(databaseKeySource(config, env))
  const keys = loadStoreKeys(config, env)
  const newKey = randomKey()
  try {
    const key = usedKey(keys, config)
    const current = wrapOf(keys.stored, key)
    const deviceKey = loadDeviceKey(demandDeviceKey(config, env))
    const { recovery } = config.city.recipients
    const next = await wrapDatabaseKey(newKey, { deviceKeys: [deviceKey], recovery })
    deviceKey.fill(0)
    const { file, maxSizeMiB } = config.store
    const rotated = { previousKeyId: current.keyId, keyId: next.keyId }
    await rekeyStore({ file, key, maxSizeMiB }, newKey, {
      prepare: async () => replaceSecretFile(source.file, databaseKeyFile([current, next])),
      record: { ...rotated },
      at,
    })
    replaceSecretFile(source.file, databaseKeyFile([next]))
    return rotated
  } finally {
    wipe(keys)
    newKey.fill(0)
  }
}

/**
 * Puts a new signing key in the place of the old one, which endorses it. The city hears of it with the next connection.
 *
 * @throws what `loadStoreKeys` and `openAudit` throw, ERR_KEY_CREDENTIAL.
 */
export function rotateSigningKey(box: KeyBox): Rotated {
  const { config, env, at } = box
  refuseCredential(signingKeySource(config, env))
  const keys = loadStoreKeys(config, env)
  try {
    using store = openLocked(keys, config).opened
    const { rotated } = replaceSigningKey(box)
    store.audit.record('signing-key-rotated', { ...rotated }, at)
    return rotated
  } finally {
    wipe(keys)
  }
}

/**
 * Replaces the signing key file, and returns what it holds now. For who holds the store alone, and records it there.
 *
 * @throws ERR_KEY_CREDENTIAL, ERR_SECRET_FILE, ERR_KEY_INVALID, ERR_ENDORSEMENT_INVALID; the old key is still in place then.
 */
export function replaceSigningKey({ config, env, at }: KeyBox): {
  readonly rotated: Rotated
  readonly file: SigningFile
} {
  const source = refuseCredential(signingKeySource(config, env))
  const before = readSigningFile(source)
  rotateSigningFile(source.file, before, { device: config.device.id, issuedAt: iso(at) })
  const file = readSigningFile(source)
  return { rotated: { previousKeyId: before.key.id, keyId: file.key.id }, file }
}

export interface RewrapOptions {
  /** Makes a new device key, too, which takes the place of the old one in its file. */
  readonly newDeviceKey?: boolean
  /** A device key that is to become the credential: the database key is wrapped for it besides. */
  readonly alsoFor?: string
  /** The city's recovery identity (AGE-SECRET-KEY-…), where the device key is lost. */
  readonly identity?: string
}

/** What the database key is wrapped for. */
export interface Rewrapped {
  readonly keyId: string
  readonly deviceKeyIds: readonly string[]
  /** Fingerprint of the recovery recipient. */
  readonly recovery: string
}

/**
 * Wraps the same database key anew, for the device key and the recovery recipient that the config names now. A key that lay there
 * as it was is wrapped for the first time; a device key is made where there is none and none was needed to open the store.
 *
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID, ERR_KEY_WRAP, ERR_KEY_CREDENTIAL, what `openAudit` throws.
 */
export async function rewrapDatabaseKey(
  { config, env, at }: KeyBox,
  { newDeviceKey = false, alsoFor, identity }: RewrapOptions,
): Promise<Rewrapped> {
  const source = refuseCredential(databaseKeySource(config, env))
  const device = demandDeviceKey(config, env)
  if (newDeviceKey) refuseCredential(device)
  const keys = await openableKeys({ config, env }, identity)
  try {
    const { opened, key } = openLocked(keys, config)
    using store = opened
    const deviceKey = deviceKeyOrNew(device)
    const { recovery } = config.city.recipients
    const wrapFor = async (deviceKeys: readonly Buffer[]): Promise<void> => {
      const wrapped = await wrapDatabaseKey(key, { deviceKeys, recovery })
      replaceSecretFile(source.file, databaseKeyFile([wrapped]))
    }

    let deviceKeys = [deviceKey]
    if (alsoFor !== undefined) deviceKeys.push(loadDeviceKey({ name: 'none', file: alsoFor, env: {} }))
    if (newDeviceKey) {
      const next = randomKey()
      // For both, so that whichever is in the file when this is interrupted opens it.
      await wrapFor([deviceKey, next])
      replaceSecretFile(device.file, next)
      deviceKeys = [next]
    }
    await wrapFor(deviceKeys)
    // Of a rotation that was interrupted: its key is in the key file no longer.
    dropCopy(`${config.store.file}.next`)
    const deviceKeyIds = deviceKeys.map(fingerprint)
    const details = { deviceKeyIds: deviceKeyIds.join(' '), recovery: fingerprint(recovery) }
    store.audit.record('database-key-rewrapped', details, at)
    return { keyId: fingerprint(key), deviceKeyIds, recovery: fingerprint(recovery) }
  } finally {
    wipe(keys)
  }
}

/** Ends a rotation that was interrupted: only the key that opened the store stays. To be called with the store open. */
export function settleRotation(
  config: Config,
  {
    stored,
    key,
    env,
    logger,
  }: Pick<StoreKeys, 'stored'> & { key: Buffer; env: KeyBox['env']; logger: Logger },
): void {
  if (stored.form === 'plain' || stored.keys.length === 1) return
  try {
    const source = refuseCredential(databaseKeySource(config, env))
    replaceSecretFile(source.file, databaseKeyFile([wrapOf(stored, key)]))
    dropCopy(`${config.store.file}.next`)
    logger.info('a rotation of the database key that was interrupted is settled')
  } catch (error) {
    // Both keys still open it: nothing is lost but tidiness.
    logger.warn('a rotation of the database key that was interrupted cannot be settled', { error })
  }
}

type Keys = Pick<StoreKeys, 'database' | 'nextDatabase'>

function openLocked(keys: Keys, { store: { file, maxSizeMiB } }: Config) {
  return openWith(keys, (key) => openAudit({ file, key, maxSizeMiB }))
}

/** The key that opens the store: after an interrupted rotation it may be either. */
function usedKey(keys: Keys, config: Config): Buffer {
  const { opened, key } = openLocked(keys, config)
  opened[Symbol.dispose]()
  return key
}

async function openableKeys(
  { config, env }: Omit<KeyBox, 'at'>,
  identity: string | undefined,
): Promise<Keys> {
  const stored = readDatabaseKey(databaseKeySource(config, env))
  if (identity === undefined || stored.form === 'plain') return loadStoreKeys(config, env)
  const [database, nextDatabase] = await Promise.all(
    stored.keys.map((each) => unwrapForRecovery(each, identity)),
  )
  if (!database) throw new Error('a key file holds at least one key')
  return { database, nextDatabase }
}

function wrapOf(stored: StoredDatabaseKey, key: Buffer) {
  const keyId = fingerprint(key)
  const wrapped = stored.form === 'wrapped' ? stored.keys.find((each) => each.keyId === keyId) : undefined
  if (wrapped) return wrapped
  throw new RoadveilError('ERR_KEY_PLAIN', 'the database key is not wrapped')
}

function demandDeviceKey(config: Config, env: KeyBox['env']): SecretSource {
  const source = deviceKeySource(config, env)
  if (source) return source
  throw new RoadveilError(
    'ERR_SECRET_FILE',
    'device.keyFile names no device key to wrap the database key for',
  )
}

function deviceKeyOrNew(source: SecretSource): Buffer {
  if (credentialOf(source) === undefined && !existsSync(source.file))
    createSecretFile(source.file, randomKey())
  return loadDeviceKey(source)
}

function refuseCredential(source: SecretSource): SecretSource {
  if (credentialOf(source) === undefined) return source
  throw new RoadveilError('ERR_KEY_CREDENTIAL', `the key is the systemd credential ${source.name}`)
}
