import { existsSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { RoadveilError } from '../errors.ts'
import { isSlug, isTopicPrefix } from '../protocol/topics.ts'
import { createCityIdentity, identityFile } from '../sealing/identity.ts'
import { createDatabaseKey } from '../sealing/database-key.ts'
import { createSigningKey } from '../sealing/keys.ts'
import { createPublicFile, createSecretFile } from '../sealing/secret.ts'
import { type TrialLayout, trialLayout } from './layout.ts'
import { COMMANDER_NAME, mosquittoConfig, mosquittoRights, RECEIVER_NAME } from './mosquitto.ts'
import { createAuthority } from './pki.ts'
import { receiverConfig } from './receiver-config.ts'

export interface TrialOptions {
  readonly site: string
  readonly device: string
  readonly topicPrefix: string
  /** Host names and addresses of the broker; its certificate names them all, the first one is in its URL. */
  readonly hosts: readonly [string, ...string[]]
  /** TCP port of the broker. */
  readonly port: number
  /** When the certificates' validity begins. */
  readonly now: Date
}

/** A trial that was set up: its files, and what the box's config needs to name. */
export interface Trial extends TrialLayout {
  readonly brokerUrl: string
  readonly topicPrefix: string
  readonly recipients: { readonly operational: string; readonly recovery: string }
  readonly receiptKeyId: string
  readonly commandKeyId: string
}

/**
 * Sets up everything for a trial on one machine but the box's config: a certificate authority, a broker's config, the
 * keys of the box, and the keys and config of the city's receiver. Private files have mode 0600, folders 0700.
 *
 * @throws RoadveilError ERR_TRIAL_EXISTS rather than overwrite, ERR_TRIAL_NAME for names that cannot stand in a topic.
 */
export async function createTrial(directory: string, options: TrialOptions): Promise<Trial> {
  const layout = trialLayout(resolve(directory))
  checkNames(options)
  for (const part of [layout.box, layout.city, layout.broker].map((files) => files.directory)) {
    if (existsSync(part)) throw new RoadveilError('ERR_TRIAL_EXISTS', `${part} is there already`)
  }
  if (existsSync(layout.authority.certificate)) {
    throw new RoadveilError('ERR_TRIAL_EXISTS', `${layout.authority.certificate} is there already`)
  }
  await makeFolders(layout)
  await writeCertificates(layout, options)
  const recipients = await writeCityIdentities(layout)
  const receiptKey = createSigningKey({
    privateFile: layout.city.receiptKey,
    publicFile: layout.city.receiptPublicKey,
  })
  const commandKey = createSigningKey({
    privateFile: layout.city.commandKey,
    publicFile: layout.city.commandPublicKey,
  })
  await copyFile(layout.city.receiptPublicKey, layout.box.receiptPublicKey)
  await copyFile(layout.city.commandPublicKey, layout.box.commandPublicKey)
  createSigningKey({
    privateFile: layout.box.signingKey,
    publicFile: join(layout.city.devices, `${options.device}.pem`),
  })
  await createDatabaseKey({ ...layout.box, recovery: recipients.recovery })

  const brokerUrl = `mqtts://${options.hosts[0]}:${options.port}`
  const asRoot = process.getuid?.() === 0
  writeText(layout.broker.config, mosquittoConfig(layout.broker, options.port, asRoot))
  writeText(layout.broker.acl, mosquittoRights(options.topicPrefix))
  writeText(layout.city.config, receiverConfig(layout.city, brokerUrl, options.topicPrefix))
  return {
    ...layout,
    brokerUrl,
    topicPrefix: options.topicPrefix,
    recipients,
    receiptKeyId: receiptKey.id,
    commandKeyId: commandKey.id,
  }
}

function checkNames({ site, device, topicPrefix }: TrialOptions): void {
  const isTaken = device === RECEIVER_NAME || device === COMMANDER_NAME
  if (!isSlug(site) || !isSlug(device) || isTaken) {
    throw new RoadveilError('ERR_TRIAL_NAME', `cannot use site ${site} and device ${device}`)
  }
  if (!isTopicPrefix(topicPrefix)) {
    throw new RoadveilError('ERR_TRIAL_NAME', `cannot use topic prefix ${topicPrefix}`)
  }
}

async function makeFolders({ box, city, broker, authority }: TrialLayout): Promise<void> {
  const files = [box.signingKey, box.certificate, box.receiptPublicKey, city.certificate, broker.config]
  const folders = [...files, authority.certificate].map((file) => dirname(file))
  for (const folder of [...folders, city.devices]) await mkdir(folder, { recursive: true, mode: 0o700 })
}

async function writeCertificates(layout: TrialLayout, { device, hosts, now }: TrialOptions): Promise<void> {
  const authority = await createAuthority(now)
  const { city } = layout
  const commander = { certificate: city.commanderCertificate, key: city.commanderKey }
  const issued = [
    [layout.broker, await authority.broker(hosts)],
    [layout.box, await authority.client(device)],
    [city, await authority.client(RECEIVER_NAME)],
    [commander, await authority.client(COMMANDER_NAME)],
  ] as const
  for (const file of [layout.broker.ca, layout.box.ca, city.ca]) writeText(file, authority.certificate)
  for (const [files, { certificate, key }] of issued) {
    writeText(files.certificate, certificate)
    createSecretFile(files.key, Buffer.from(key))
  }
  writeText(layout.authority.certificate, authority.certificate)
  createSecretFile(layout.authority.key, Buffer.from(authority.key))
}

async function writeCityIdentities({ city }: TrialLayout): Promise<Trial['recipients']> {
  const operational = await createCityIdentity()
  const recovery = await createCityIdentity()
  createSecretFile(city.identity, Buffer.from(identityFile(operational)))
  createSecretFile(city.recovery, Buffer.from(identityFile(recovery)))
  return { operational: operational.recipient, recovery: recovery.recipient }
}

function writeText(file: string, text: string): void {
  createPublicFile(file, Buffer.from(text))
}
