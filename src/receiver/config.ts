import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { RoadveilError } from '../errors.ts'
import { isTopicPrefix } from '../protocol/topics.ts'

const file = z.string().min(1)

/** receiver.yaml: the city's side. File names are relative to the folder of the config file. */
export const receiverConfigSchema = z.strictObject({
  broker: z.strictObject({
    url: z.string().regex(/^mqtts:\/\/[^/@\s]+$/, 'must be mqtts://host:port'),
    topicPrefix: z
      .string()
      .refine(isTopicPrefix, 'must be words of letters, digits, _ and -')
      .default('roadveil'),
    caFile: file,
    certificateFile: file,
    keyFile: file,
  }),
  devicesDirectory: file.describe('One Ed25519 public key per box, DEVICE.pem'),
  identityFile: file.describe('age identity that opens evidence, mode 0600'),
  receiptKeyFile: file.describe('Ed25519 private key that signs receipts, mode 0600'),
  outputDirectory: file.describe('Opened evidence: SITE/DEVICE/EVIDENCE/'),
  stateDirectory: file.describe('Evidence that is still coming in, and the quarantine'),
  quarantineMaxMiB: z.int().min(1).max(1_048_576).default(1024).describe('The oldest is deleted beyond this'),
})

/** The receiver's config, checked, file names absolute. */
export type ReceiverConfig = z.infer<typeof receiverConfigSchema>

/**
 * Reads receiver.yaml.
 *
 * @throws RoadveilError ERR_RECEIVER_CONFIG that lists every fault, one a line.
 */
export function loadReceiverConfig(configFile: string): ReceiverConfig {
  let value: unknown
  try {
    value = parse(readFileSync(configFile, 'utf8'))
  } catch (cause) {
    const why = existsSync(configFile) ? 'cannot be read, or is not YAML' : 'does not exist'
    throw new RoadveilError('ERR_RECEIVER_CONFIG', `${configFile} ${why}`, { cause })
  }
  const result = receiverConfigSchema.safeParse(value)
  if (!result.success) {
    const faults = result.error.issues.map(
      ({ path, message }) => `  ${path.join('.') || 'config'}: ${message}`,
    )
    throw new RoadveilError('ERR_RECEIVER_CONFIG', `${configFile} has faults:\n${faults.join('\n')}`)
  }
  const config = result.data
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
    outputDirectory: absolute(config.outputDirectory),
    stateDirectory: absolute(config.stateDirectory),
  }
}
