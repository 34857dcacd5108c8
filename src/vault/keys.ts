import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { RoadveilError } from '../errors.ts'
import type { BrokerAddress } from '../protocol/connection.ts'
import { loadDatabaseKey, loadPublicKey, loadSigningKey } from '../sealing/keys.ts'
import type { SigningKey, VerifyKeys } from '../sealing/keys.ts'
import { loadSecret } from '../sealing/secret.ts'

/** Everything that only vault may read. */
export interface VaultKeys {
  readonly signing: SigningKey
  /** To be wiped once the store is open. */
  readonly database: Buffer
  /** The city's receipt keys. */
  readonly receipt: VerifyKeys
  readonly broker: BrokerAddress
}

/**
 * Reads the keys from systemd's credentials or from their files.
 *
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID
 */
export async function loadVaultKeys(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
): Promise<VaultKeys> {
  const { device, store, broker } = config
  return {
    signing: loadSigningKey({ name: 'signing-key', file: device.signingKeyFile, env }),
    database: loadDatabaseKey({ name: 'database-key', file: store.keyFile, env }),
    receipt: receiptKeys(config),
    broker: {
      url: broker.url,
      ca: await readPem(broker.caFile),
      certificate: await readPem(broker.certificateFile),
      key: loadSecret({ name: 'broker-key', file: broker.keyFile, env }).toString(),
    },
  }
}

function receiptKeys({ city }: Config): VerifyKeys {
  return new Map(
    city.receiptKeys.map(({ id: expected, publicKeyFile }) => {
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
