import { join } from 'node:path'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { loadSecret } from '../sealing/secret.ts'
import { type CertificateFiles, createCertificateFiles } from './certificates.ts'
import { type CommandFiles, createCommandFiles } from './commands.ts'
import type { ReceiverConfig } from './config.ts'
import { type DeviceKeys, deviceKeysIn } from './devices.ts'
import { createEndorsedKeys, type EndorsedKeys } from './endorsed-keys.ts'
import { folderCheckpoints } from './folder/checkpoints.ts'
import { folderEndorsements } from './folder/endorsements.ts'
import { makeFolder } from './folder/files.ts'
import { createFolderIncoming } from './folder/incoming.ts'
import { createQuarantine, type Quarantine } from './folder/quarantine.ts'
import { openFolderStorage } from './folder/storage.ts'
import { DEFAULT_INCOMING_LIMITS, type Incoming, type IncomingLimits } from './incoming.ts'
import { postgresCheckpoints } from './postgres/checkpoints.ts'
import { openDatabase } from './postgres/database.ts'
import { postgresEndorsements } from './postgres/endorsements.ts'
import { createPostgresIncoming } from './postgres/incoming.ts'
import { reachBucket } from './s3/bucket.ts'
import { createBucketStorage } from './s3/storage.ts'
import type { Storage } from './storage.ts'
import { createWitness, type Witness } from './witness.ts'

/** Everything in which a receiver keeps something. */
export interface Keeping extends AsyncDisposable {
  readonly incoming: Incoming
  readonly storage: Storage
  readonly quarantine: Quarantine
  readonly witness: Witness
  readonly certificates: CertificateFiles
  readonly commands: CommandFiles
  readonly endorsed: EndorsedKeys
  readonly deviceKeys: DeviceKeys
}

/** For one object, on a slow line: the largest sealed evidence has 65 MiB. */
const OBJECT_MS = 120_000

/**
 * Opens what the config names: a database that several receivers share, or folders of one receiver; opened evidence in a folder or a
 * bucket. What was refused stays in the folder of the receiver that refused it.
 *
 * @throws RoadveilError ERR_SECRET_FILE, ERR_OUTPUT_FAILED, ERR_DATABASE_… and ERR_BUCKET_… when something cannot be used.
 */
export async function openKeeping(
  config: ReceiverConfig,
  deps: {
    readonly logger: Logger
    readonly now: () => number
    readonly env: Readonly<Record<string, string | undefined>>
    readonly limits?: IncomingLimits
  },
): Promise<Keeping> {
  const { logger, now, env, limits = DEFAULT_INCOMING_LIMITS } = deps
  const { stateDirectory, quarantineMaxMiB } = config
  await makeStateFolder(stateDirectory)
  const storage = await openStorage(config, env)
  const database =
    config.database && (await openDatabase({ name: 'database-url', file: config.database.urlFile, env }))
  const trusted = deviceKeysIn(config.devicesDirectory)
  const endorsements = database ? postgresEndorsements(database) : folderEndorsements(stateDirectory)
  const endorsed = createEndorsedKeys(endorsements, trusted, logger)
  const { deviceKeys } = endorsed
  const checkpoints = database ? postgresCheckpoints(database, now) : folderCheckpoints(stateDirectory, now)
  return {
    storage,
    endorsed,
    deviceKeys,
    incoming: database
      ? createPostgresIncoming(database, { storage, limits, receiver: config.broker.clientId })
      : createFolderIncoming(join(stateDirectory, 'incoming'), { deviceKeys, storage, limits, now }),
    witness: createWitness(checkpoints, { deviceKeys, logger }),
    certificates: createCertificateFiles(stateDirectory, { deviceKeys, logger }),
    commands: createCommandFiles(stateDirectory, { deviceKeys, logger, now }),
    quarantine: createQuarantine(join(stateDirectory, 'quarantine'), quarantineMaxMiB * 1024 * 1024, now),
    async [Symbol.asyncDispose]() {
      await database?.[Symbol.asyncDispose]()
    },
  }
}

async function openStorage(
  { outputDirectory, bucket: address, broker }: ReceiverConfig,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Storage> {
  if (!address) {
    if (outputDirectory === undefined) throw new Error('the config names no place for opened evidence')
    return openFolderStorage(outputDirectory, broker.clientId)
  }
  const secret = (name: string, file: string): string =>
    loadSecret({ name, file, env }).toString('utf8').trim()
  const bucket = reachBucket(
    {
      ...address,
      accessKey: secret('bucket-access-key', address.accessKeyFile),
      secretKey: secret('bucket-secret-key', address.secretKeyFile),
    },
    OBJECT_MS,
  )
  await bucket.check()
  return createBucketStorage(bucket)
}

async function makeStateFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
  } catch (cause) {
    throw new RoadveilError('ERR_OUTPUT_FAILED', `cannot use ${folder}`, { cause })
  }
}
