import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { BrokerAddress } from '../protocol/connection.ts'
import {
  loadDeviceKey,
  readDatabaseKey,
  type StoredDatabaseKey,
  unwrapForDevice,
} from '../sealing/database-key.ts'
import { fingerprint, loadPublicKey, type SigningKey, type VerifyKeys } from '../sealing/keys.ts'
import { credentialOf, loadSecret, type SecretSource } from '../sealing/secret.ts'
import { readSigningFile, signersOf, type SigningFile } from '../sealing/signing-file.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What opens the store and signs for the box. */
export interface StoreKeys {
  readonly signing: SigningKey
  /** The signing key, and what older ones said about it. */
  readonly signingFile: SigningFile
  /** The public halves of all keys that this box has signed with. */
  readonly signers: VerifyKeys
  /** To be wiped once the store is open. */
  readonly database: Buffer
  /** The key that was to take its place when a rotation was interrupted. To be wiped, too. */
  readonly nextDatabase: Buffer | undefined
  /** How the database key lies on the disk. */
  readonly stored: StoredDatabaseKey
}

/** Everything that only vault may read. */
export interface VaultKeys extends StoreKeys {
  /** The city's receipt keys. */
  readonly receipt: VerifyKeys
  /** Those that the city commands with. */
  readonly command: VerifyKeys
  readonly broker: BrokerAddress
}

/**
 * Reads the keys from systemd's credentials or from their files.
 *
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID, ERR_KEY_WRAP
 */
export async function loadVaultKeys(config: Config, env: Env): Promise<VaultKeys> {
  const { broker } = config
  return {
    ...loadStoreKeys(config, env),
    receipt: cityKeys(config.city.receiptKeys),
    command: cityKeys(config.city.commandKeys),
    broker: {
      url: broker.url,
      ca: await readPem(broker.caFile),
      certificate: await readPem(broker.certificateFile),
      key: loadSecret({ name: 'broker-key', file: broker.keyFile, env }).toString(),
    },
  }
}

/**
 * Reads the keys that a look into the store needs.
 *
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID, ERR_KEY_WRAP
 */
export function loadStoreKeys(config: Config, env: Env): StoreKeys {
  const signingFile = readSigningFile(signingKeySource(config, env))
  const stored = readDatabaseKey(databaseKeySource(config, env))
  const [database, nextDatabase] = openKeys(stored, config, env)
  if (!database) throw new Error('a key file holds at least one key')
  return {
    signing: signingFile.key,
    signingFile,
    signers: signersOf(signingFile, config.device.id),
    database,
    nextDatabase,
    stored,
  }
}

/**
 * The public half of the signing key, for the city.
 *
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID
 */
export function exportPublicKey(
  config: Config,
  env: Env,
): { readonly keyId: string; readonly publicKey: string } {
  const { key } = readSigningFile(signingKeySource(config, env))
  const publicKey = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' })
  return { keyId: key.id, publicKey: publicKey.toString() }
}

export const signingKeySource = ({ device }: Config, env: Env): SecretSource => ({
  name: 'signing-key',
  file: device.signingKeyFile,
  env,
})

export const databaseKeySource = ({ store }: Config, env: Env): SecretSource => ({
  name: 'database-key',
  file: store.keyFile,
  env,
})

/** Where the device key comes from; undefined where the box has none. */
export function deviceKeySource({ device }: Config, env: Env): SecretSource | undefined {
  const name = 'device-key'
  const { keyFile: file } = device
  if (file === undefined && credentialOf({ name, env }) === undefined) return undefined
  return { name, file: file ?? '', env }
}

/**
 * Opens the store with the database key, or with the one that was to take its place when a rotation was interrupted. Says with which.
 *
 * @throws what `open` throws.
 */
export function openWith<T>(
  { database, nextDatabase }: Pick<StoreKeys, 'database' | 'nextDatabase'>,
  open: (key: Buffer) => T,
): { readonly opened: T; readonly key: Buffer } {
  try {
    return { opened: open(database), key: database }
  } catch (error) {
    if (!nextDatabase || !isRoadveilError(error, 'ERR_STORE_KEY')) throw error
    return { opened: open(nextDatabase), key: nextDatabase }
  }
}

/** Overwrites the database keys in memory. */
export function wipe({ database, nextDatabase }: Pick<StoreKeys, 'database' | 'nextDatabase'>): void {
  database.fill(0)
  nextDatabase?.fill(0)
}

/** What makes a theft or a loss worse than it has to be. */
export interface KeyWarning {
  readonly code: 'ERR_KEY_PLAIN' | 'ERR_KEY_RECOVERY'
  readonly message: string
}

/** Judges how the database key lies on the disk; undefined where that is as it should be. */
export function judgeKeys({ stored }: Pick<StoreKeys, 'stored'>, { city }: Config): KeyWarning | undefined {
  if (stored.form === 'plain') {
    return { code: 'ERR_KEY_PLAIN', message: 'the database key lies on the disk as it is' }
  }
  const recipient = fingerprint(city.recipients.recovery)
  if (stored.keys.every(({ recovery }) => recovery?.recipient === recipient)) return undefined
  return { code: 'ERR_KEY_RECOVERY', message: "the database key has no wrap for the city's recovery key" }
}

function openKeys(stored: StoredDatabaseKey, config: Config, env: Env): Buffer[] {
  if (stored.form === 'plain') return [stored.key]
  const source = deviceKeySource(config, env)
  if (!source) {
    throw new RoadveilError(
      'ERR_SECRET_FILE',
      'the database key is wrapped, and device.keyFile names no device key',
    )
  }
  const deviceKey = loadDeviceKey(source)
  try {
    return stored.keys.map((wrapped) => unwrapForDevice(wrapped, deviceKey))
  } finally {
    deviceKey.fill(0)
  }
}

function cityKeys(named: Config['city']['receiptKeys']): VerifyKeys {
  return new Map(
    named.map(({ id: expected, publicKeyFile }) => {
      const { id, publicKey } = loadPublicKey(publicKeyFile)
      if (id !== expected) {
        throw new RoadveilError('ERR_KEY_INVALID', `${publicKeyFile} holds the key ${id}, not ${expected}`)
      }
      return [id, publicKey]
    }),
  )
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new RoadveilError('ERR_KEY_INVALID', `cannot read the certificate ${file}`, { cause })
  }
}
