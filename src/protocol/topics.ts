import { slugSchema } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { CERTIFICATE_SLOTS, MAX_CHUNKS } from './limits.ts'

/** One device at one site: `<prefix>/v1/<site>/<device>`. */
export interface Station {
  readonly prefix: string
  readonly site: string
  readonly device: string
}

/** A topic of the protocol, taken apart. */
export type Topic = { readonly site: string; readonly device: string } & (
  | { readonly kind: 'status' }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'endorsement'; readonly keyId: string }
  | { readonly kind: 'manifest'; readonly evidenceId: string }
  | { readonly kind: 'chunk'; readonly evidenceId: string; readonly index: number }
  | { readonly kind: 'receipt'; readonly evidenceId: string }
  | { readonly kind: 'command'; readonly commandId: string }
  | { readonly kind: 'answer'; readonly commandId: string }
  | { readonly kind: 'certificate'; readonly slot: number }
)

/** The id of an evidence or a command as it stands in topics and folder names: a lower-case UUID. */
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const KEY_ID = /^[0-9a-f]{16}$/
const INDEX = /^(0|[1-9]\d{0,5})$/
const PREFIX = /^[a-zA-Z0-9_-]+(\/[a-zA-Z0-9_-]+)*$/

/** Where a device says that it is there: retained, with a last will. */
export const statusTopic = (station: Station): string => `${base(station)}/status`

/** Where a device lets the city witness its audit log: retained, so that a city that was away gets the latest. */
export const checkpointTopic = (station: Station): string => `${base(station)}/checkpoint`

/** Where a device says with its old signing key that this is its new one: retained, one topic a key. */
export const endorsementTopic = (station: Station, keyId: string): string =>
  `${base(station)}/endorsement/${keyId}`

/** Where a device announces an evidence. */
export const manifestTopic = (station: Station, evidenceId: string): string =>
  `${base(station)}/evidence/${evidenceId}/manifest`

/** Where a device sends the chunk with this index, counted from 0. */
export const chunkTopic = (station: Station, evidenceId: string, index: number): string =>
  `${base(station)}/evidence/${evidenceId}/chunk/${index}`

/** Where the city answers about one evidence. */
export const receiptTopic = (station: Station, evidenceId: string): string =>
  `${base(station)}/receipt/${evidenceId}`

/** What a device subscribes to: every receipt for itself. */
export const receiptFilter = (station: Station): string => `${base(station)}/receipt/+`

/** Where the city tells a device to do something: not retained, so that no broker repeats it to whoever comes. */
export const commandTopic = (station: Station, commandId: string): string =>
  `${base(station)}/command/${commandId}`

/** What a device subscribes to: every command for itself. */
export const commandFilter = (station: Station): string => commandTopic(station, '+')

/** Where a device says what became of a command. */
export const answerTopic = (station: Station, commandId: string): string =>
  `${base(station)}/answer/${commandId}`

/** Where the city finds all endorsements of one device. */
export const endorsementFilter = (station: Station): string => endorsementTopic(station, '+')

/**
 * Where a device lets the city have its purge certificates: retained, the certificate with number n in slot n mod `CERTIFICATE_SLOTS`,
 * so that a city that was away gets the latest, and the broker never keeps more.
 */
export const certificateTopic = (station: Station, number: number): string =>
  `${base(station)}/certificate/${number % CERTIFICATE_SLOTS}`

/**
 * What the city subscribes to: all that the devices below the prefix write.
 *
 * @param sharedGroup receivers of one group get each manifest and chunk once between them (MQTT 5, 4.8.2). What is retained goes to
 *   all: a broker gives a shared subscription nothing that is retained when it is made.
 */
export function cityFilters(prefix: string, sharedGroup?: string): readonly string[] {
  const share = sharedGroup === undefined ? '' : `$share/${sharedGroup}/`
  return [
    `${prefix}/v1/+/+/status`,
    `${prefix}/v1/+/+/checkpoint`,
    `${prefix}/v1/+/+/endorsement/+`,
    `${share}${prefix}/v1/+/+/evidence/+/manifest`,
    `${share}${prefix}/v1/+/+/evidence/+/chunk/+`,
    `${prefix}/v1/+/+/answer/+`,
    `${prefix}/v1/+/+/certificate/+`,
  ]
}

/**
 * Takes a topic apart. Site, device, id and index are checked, so that each is safe as a file name.
 *
 * @throws RoadveilError ERR_TOPIC for anything that this protocol would not write itself.
 */
export function parseTopic(prefix: string, topic: string): Topic {
  const start = `${prefix}/v1/`
  if (topic.length > 512 || !topic.startsWith(start))
    throw notATopic('it does not begin with the prefix and v1')
  const [site = '', device = '', ...rest] = topic.slice(start.length).split('/')
  if (!isSlug(site) || !isSlug(device)) throw notATopic('its site or device is not a name')
  const [kind, id = '', leaf, index = '', ...more] = rest
  if ((kind === 'status' || kind === 'checkpoint') && rest.length === 1) return { kind, site, device }
  if (kind === 'endorsement' && rest.length === 2 && KEY_ID.test(id)) return { kind, site, device, keyId: id }
  if (kind === 'certificate' && rest.length === 2 && INDEX.test(id) && Number(id) < CERTIFICATE_SLOTS) {
    return { kind, site, device, slot: Number(id) }
  }
  if (more.length > 0 || !UUID.test(id)) throw notATopic('it names no evidence and no command')
  if ((kind === 'command' || kind === 'answer') && rest.length === 2) {
    return { kind, site, device, commandId: id }
  }
  const evidenceId = id
  if (kind === 'receipt' && rest.length === 2) return { kind, site, device, evidenceId }
  if (kind === 'evidence' && leaf === 'manifest' && rest.length === 3) {
    return { kind: 'manifest', site, device, evidenceId }
  }
  if (kind === 'evidence' && leaf === 'chunk' && INDEX.test(index) && Number(index) < MAX_CHUNKS) {
    return { kind: 'chunk', site, device, evidenceId, index: Number(index) }
  }
  throw notATopic('its end is not one of the protocol')
}

/** True for the id of an evidence or a command. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** True for a name that may be a site or a device. */
export function isSlug(text: string): boolean {
  return slugSchema.safeParse(text).success
}

/** True for a prefix that holds no wildcard and no empty level. */
export function isTopicPrefix(text: string): boolean {
  return text.length <= 200 && PREFIX.test(text)
}

function base({ prefix, site, device }: Station): string {
  return `${prefix}/v1/${site}/${device}`
}

function notATopic(why: string): RoadveilError {
  return new RoadveilError('ERR_TOPIC', `a message came on a topic that is not of the protocol: ${why}`)
}
