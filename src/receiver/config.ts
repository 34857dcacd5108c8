import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { Finding } from '../config-file/finding.ts'
import { faultsOf, invalidConfig, readConfigFile } from '../config-file/read.ts'
import { findShapeFaults } from '../config-file/shape.ts'
import { isTopicPrefix } from '../protocol/topics.ts'

const file = z.string().min(1).meta({ expects: 'a file name' })
const name = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/)
  .meta({ expects: 'up to 64 letters, digits, _ and -' })
const folder = z.string().min(1).meta({ expects: 'the name of a folder' })

/** receiver.yaml: the city's side. File names are relative to the folder of the config file. */
export const receiverConfigSchema = z.strictObject({
  broker: z.strictObject({
    url: z
      .string()
      .regex(/^mqtts:\/\/[^/@\s]+$/)
      .meta({ expects: 'mqtts://host:port' })
      .describe("Address of the city's broker"),
    topicPrefix: z
      .string()
      .refine(isTopicPrefix)
      .meta({ expects: 'words of letters, digits, _ and -, with / between them' })
      .default('roadveil'),
    caFile: file.describe("Certificates of those who may sign the broker's"),
    certificateFile: file.describe("The receiver's client certificate"),
    keyFile: file.describe('Its private key, mode 0600'),
    clientId: name
      .default('receiver')
      .describe(
        'How the broker tells this receiver from others: another one for each, and a certificate of its own',
      ),
    sharedGroup: name
      .optional()
      .describe(
        'Receivers with the same group, and one database, share what comes in (MQTT 5 shared subscriptions)',
      ),
  }),
  devicesDirectory: folder.describe('One Ed25519 public key per box, DEVICE.pem'),
  identityFile: file.describe('age identity that opens evidence, mode 0600'),
  receiptKeyFile: file.describe('Ed25519 private key that signs receipts, mode 0600'),
  commands: z
    .strictObject({
      commandKeyFile: file.describe('Ed25519 private key that signs commands, mode 0600'),
      certificateFile: file.describe("Client certificate of who commands, another than the receiver's"),
      keyFile: file.describe('Its private key, mode 0600'),
    })
    .optional()
    .describe('For `roadveil command`; the running receiver needs none of it'),
  outputDirectory: folder
    .optional()
    .describe(
      'Opened evidence: SITE/DEVICE/EVIDENCE/; this or a bucket, and of several receivers the same for all',
    ),
  bucket: z
    .strictObject({
      endpoint: z
        .string()
        .regex(/^(https:\/\/[^/@\s]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)\/?$/)
        .meta({ expects: 'https://host:port, or http:// for this machine' })
        .describe('Address of the S3-compatible store'),
      region: name.default('us-east-1').describe('What the store calls its region'),
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
        .meta({ expects: 'the name of a bucket' })
        .describe('The bucket, which must be there'),
      accessKeyFile: file.describe('Id of the access key, mode 0600'),
      secretKeyFile: file.describe('Its secret, mode 0600'),
    })
    .optional()
    .describe('Opened evidence goes to a bucket, as SITE/DEVICE/EVIDENCE/…'),
  database: z
    .strictObject({
      urlFile: file.describe(
        'postgres://USER:PASSWORD@HOST/DATABASE, mode 0600; for another machine with ?sslmode=verify-full',
      ),
    })
    .optional()
    .describe(
      'The PostgreSQL database that several receivers share; without it one receiver keeps all in its folders',
    ),
  stateDirectory: folder.describe(
    'The quarantine of this receiver, purge certificates and commands; without a database, evidence that is still coming in, what was witnessed of audit logs, and alarms',
  ),
  quarantineMaxMiB: z.int().min(1).max(1_048_576).default(1024).describe('The oldest is deleted beyond this'),
})

/** The receiver's config, checked, file names absolute. */
export type ReceiverConfig = z.infer<typeof receiverConfigSchema>

/**
 * Reads receiver.yaml.
 *
 * @throws RoadveilError ERR_CONFIG_MISSING, ERR_CONFIG_SYNTAX, and ERR_CONFIG_INVALID with one line a fault
 */
export async function loadReceiverConfig(configFile: string): Promise<ReceiverConfig> {
  const { value, lineOf } = await readConfigFile(configFile)
  const findings = findShapeFaults(receiverConfigSchema, value)
  if (findings.length > 0) throw invalidConfig(configFile, faultsOf(findings, lineOf))
  const config = receiverConfigSchema.parse(value)
  const conflicts = findConflicts(config)
  if (conflicts.length > 0) throw invalidConfig(configFile, faultsOf(conflicts, lineOf))
  const absolute = (name: string): string => resolve(dirname(configFile), name)
  const { broker, bucket, database, outputDirectory } = config
  return {
    ...config,
    broker: {
      ...broker,
      caFile: absolute(broker.caFile),
      certificateFile: absolute(broker.certificateFile),
      keyFile: absolute(broker.keyFile),
    },
    devicesDirectory: absolute(config.devicesDirectory),
    identityFile: absolute(config.identityFile),
    receiptKeyFile: absolute(config.receiptKeyFile),
    commands: config.commands && {
      commandKeyFile: absolute(config.commands.commandKeyFile),
      certificateFile: absolute(config.commands.certificateFile),
      keyFile: absolute(config.commands.keyFile),
    },
    stateDirectory: absolute(config.stateDirectory),
    ...(outputDirectory !== undefined && { outputDirectory: absolute(outputDirectory) }),
    ...(bucket && {
      bucket: {
        ...bucket,
        accessKeyFile: absolute(bucket.accessKeyFile),
        secretKeyFile: absolute(bucket.secretKeyFile),
      },
    }),
    ...(database && { database: { urlFile: absolute(database.urlFile) } }),
  }
}

/** What is right by itself and wrong together. */
function findConflicts({ broker, bucket, database, outputDirectory }: ReceiverConfig): Finding[] {
  const found: Finding[] = []
  if (!bucket && outputDirectory === undefined) {
    found.push({ path: ['outputDirectory'], reason: 'is missing: opened evidence goes there or to a bucket' })
  }
  if (bucket && outputDirectory !== undefined) {
    found.push({
      path: ['bucket'],
      reason: 'stands beside outputDirectory: opened evidence goes to one of them',
    })
  }
  if (broker.sharedGroup !== undefined && !database) {
    found.push({
      path: ['broker', 'sharedGroup'],
      reason: 'needs a database, in which the receivers put together what each of them gets a part of',
    })
  }
  return found
}
