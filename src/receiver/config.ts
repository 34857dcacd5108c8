import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { faultsOf, invalidConfig, readConfigFile } from '../config-file/read.ts'
import { findShapeFaults } from '../config-file/shape.ts'
import { isTopicPrefix } from '../protocol/topics.ts'

const file = z.string().min(1).meta({ expects: 'a file name' })
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
  outputDirectory: folder.describe('Opened evidence: SITE/DEVICE/EVIDENCE/'),
  stateDirectory: folder.describe(
    'Evidence that is still coming in, the quarantine, what was witnessed of audit logs, alarms, purge certificates, and commands',
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
  const absolute = (name: string): string => resolve(dirname(configFile), name)
  return {
    ...config,
    broker: {
      ...config.broker,
      caFile: absolute(config.broker.caFile),
      certificateFile: absolute(config.broker.certificateFile),
      keyFile: absolute(config.broker.keyFile),
    },
    devicesDirectory: absolute(config.devicesDirectory),
    identityFile: absolute(config.identityFile),
    receiptKeyFile: absolute(config.receiptKeyFile),
    commands: config.commands && {
      commandKeyFile: absolute(config.commands.commandKeyFile),
      certificateFile: absolute(config.commands.certificateFile),
      keyFile: absolute(config.commands.keyFile),
    },
    outputDirectory: absolute(config.outputDirectory),
    stateDirectory: absolute(config.stateDirectory),
  }
}
