import { z } from 'zod'
import { type ErrorCode, isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { IncomingMessage } from '../protocol/connection.ts'
import { MAX_MANIFEST_BYTES } from '../protocol/limits.ts'
import { createSlots } from '../protocol/slots.ts'
import { decodeStatus } from '../protocol/status.ts'
import { commandTopic, parseTopic, type Topic } from '../protocol/topics.ts'
import { type Manifest, verifyManifest } from '../sealing/manifest.ts'
import { openEvidence, type OpenedEvidence } from '../sealing/open.ts'
import type { Answers } from './answers.ts'
import type { CertificateFiles } from './certificates.ts'
import type { Box, CommandFiles } from './commands.ts'
import type { DeviceKeys } from './devices.ts'
import type { EndorsedKeys } from './endorsed-keys.ts'
import type { NewFile } from './folder/files.ts'
import type { Quarantine } from './folder/quarantine.ts'
import type { Accept, Assembly, EvidenceName, Incoming, StoredEvidence } from './incoming.ts'
import type { Storage } from './storage.ts'
import type { Witness } from './witness.ts'

/** Takes messages of boxes, one after the other. */
export interface Desk {
  /** Deals with one message. Never fails: what cannot be dealt with is logged, and the box sends it again. */
  handle(message: IncomingMessage): Promise<void>
  /** Goes on with what an earlier run left. Never fails. */
  resume(): Promise<void>
  /** Goes on with what has been silent for a while: asks for the chunks that are missing. Never fails. */
  lookAfter(): Promise<void>
}

type Announcement = Extract<Topic, { kind: 'manifest' }>

/** Creates the desk where evidence is put together, checked, opened, stored and answered for. */
export function createDesk(deps: {
  readonly prefix: string
  readonly incoming: Incoming
  readonly storage: Storage
  readonly quarantine: Quarantine
  readonly answers: Answers
  readonly witness: Witness
  readonly certificates: CertificateFiles
  readonly commands: CommandFiles
  readonly endorsed: EndorsedKeys
  readonly deviceKeys: DeviceKeys
  /** AGE-SECRET-KEY-1… */
  readonly identity: string
  readonly logger: Logger
  /** An assembly that got nothing for this long is asked for again, once. Milliseconds. */
  readonly askAfterMs: number
  readonly stored: (evidence: StoredEvidence) => void
}): Desk {
  const { incoming, storage, quarantine, answers, deviceKeys, logger } = deps
  const turns = createSlots(1)

  const refuse = async (subject: Subject, reason: RoadveilError, files: NewFile[]): Promise<void> => {
    const { device, evidenceId, site, ciphertextSha256 } = subject
    logger.warn('evidence was refused', { device, site, evidenceId, error: reason })
    await quarantine.add(subject, reason, files).catch((error: unknown) => {
      logger.error('nothing could be put into quarantine', { device, evidenceId, error })
    })
    // Without a hash the box could not tell what the answer is about.
    if (ciphertextSha256 === undefined) return
    answers.send({ site, device, evidenceId, ciphertextSha256 }, { status: 'rejected', reason: reason.code })
  }

  const accept: Accept = async ({ manifest, envelope, ciphertext }) => {
    const { site, device, evidenceId, ciphertextSha256 } = manifest
    let opened: OpenedEvidence
    try {
      const city = { deviceId: device, deviceKeys: await deviceKeys(device), identity: deps.identity }
      opened = await openEvidence(envelope, ciphertext, city)
    } catch (error) {
      if (!isRefusal(error)) throw error
      const sealed = { name: 'evidence.tar.age', bytes: ciphertext }
      await refuse(manifest, error, [{ name: 'manifest.dsse.json', bytes: envelope }, sealed])
      return undefined
    }
    const location = await storage.store(opened, { manifest: envelope, ciphertext })
    const { camera, mode, rule, times } = opened.facts
    return {
      ...{ site, device, evidenceId, camera, mode, ciphertextSha256, location },
      rule: rule.id,
      judgedAt: times.judged.camera,
      bytes: ciphertext.length,
    }
  }

  const tell = async (evidence: StoredEvidence): Promise<void> => {
    deps.stored(evidence)
    await incoming.told(evidence)
  }

  const goOn = async (manifest: Manifest, assembly: Assembly | 'accepted'): Promise<void> => {
    if (assembly === 'accepted') answers.send(manifest, { status: 'duplicate' })
    else if (assembly.missing.length === 0) await finish(assembly)
    else answers.send(manifest, { status: 'incomplete', missing: assembly.missing })
  }

  const finish = async (assembly: Assembly): Promise<void> => {
    const completion = await incoming.complete(assembly, accept)
    if (!completion) return
    answers.send(assembly.manifest, { status: completion.status })
    if (completion.status === 'duplicate') return
    const { evidence } = completion
    const { site, device, evidenceId, bytes } = evidence
    logger.info('evidence was stored', { site, device, evidenceId, bytes })
    await tell(evidence)
  }

  const takeManifest = async (topic: Announcement, payload: Buffer): Promise<void> => {
    let manifest: Manifest
    let assembly: Assembly | 'accepted'
    try {
      manifest = await checkManifest(topic, payload, deviceKeys)
      assembly = await incoming.begin(manifest, payload)
    } catch (error) {
      if (!isRefusal(error)) throw error
      const files = [{ name: 'manifest.dsse.json', bytes: payload.subarray(0, MAX_MANIFEST_BYTES) }]
      await refuse({ ...topic, ciphertextSha256: claimedHash(payload) }, error, files)
      return
    }
    await goOn(manifest, assembly)
  }

  const takeChunk = async (topic: EvidenceName & { index: number }, payload: Buffer): Promise<void> => {
    const assembly = await incoming.add(topic, topic.index, payload)
    if (assembly.missing.length === 0) await finish(assembly)
  }

  /** The broker may have lost what it held for a box that was away; a box does the same command only once. */
  const sendCommands = async (box: Box): Promise<void> => {
    for (const { commandId, envelope, validSeconds } of await deps.commands.open(box)) {
      const station = { prefix: deps.prefix, site: box.site, device: box.device }
      answers.post(commandTopic(station, commandId), envelope, validSeconds)
    }
  }

  const take = async (topic: Topic, payload: Buffer): Promise<unknown> => {
    const { device, site } = topic
    switch (topic.kind) {
      case 'manifest':
        return takeManifest(topic, payload)
      case 'chunk':
        return takeChunk(topic, payload)
      case 'status': {
        const { state } = decodeStatus(payload)
        logger.info('a device reported', { device, site, state })
        if (state === 'online') await sendCommands(topic)
        return
      }
      case 'checkpoint':
        return deps.witness.take(topic, payload)
      case 'endorsement':
        return deps.endorsed.take(topic, payload)
      case 'certificate':
        return deps.certificates.take(topic, payload)
      case 'answer':
        return deps.commands.takeAnswer(topic, payload)
      case 'receipt':
      case 'command':
        throw new RoadveilError('ERR_TOPIC', `a ${topic.kind} came where boxes write`)
    }
  }

  /** One thing at a time; what fails is logged. */
  const inTurn = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await turns.use(work)
    } catch (error) {
      logger.warn(what, { error: coded(error) })
    }
  }

  /** Each by itself: one that fails does not hold up the others. */
  const forEach = async <T>(find: () => Promise<readonly T[]>, work: (one: T) => Promise<void>) => {
    let found: readonly T[] = []
    await inTurn('what was left behind could not be looked for', async () => {
      found = await find()
    })
    for (const each of found) {
      await inTurn('what was left behind could not be dealt with', () => work(each))
    }
  }

  return {
    handle: ({ topic, payload }) =>
      inTurn('a message was not taken', () => take(parseTopic(deps.prefix, topic), payload)),
    async resume() {
      await forEach(
        () => incoming.leftovers(),
        // It may be stored already: then the run before stopped before it had removed the parts.
        async ({ manifest, envelope }) => goOn(manifest, await incoming.begin(manifest, envelope)),
      )
    },
    async lookAfter() {
      await forEach(
        () => incoming.silent(deps.askAfterMs),
        (assembly) => goOn(assembly.manifest, assembly),
      )
      await forEach(() => incoming.untold(deps.askAfterMs), tell)
    },
  }
}

/** What says that nobody could look, and not that something is wrong with the evidence. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'ERR_ASSEMBLY_LIMIT',
  'ERR_OUTPUT_FAILED',
  'ERR_DATABASE_UNREACHABLE',
  'ERR_DATABASE_REFUSED',
  'ERR_DATABASE_FAILED',
  'ERR_BUCKET_UNREACHABLE',
  'ERR_BUCKET_REFUSED',
  'ERR_BUCKET_MISSING',
])

function isRefusal(error: unknown): error is RoadveilError {
  return isRoadveilError(error) && !PASSING.has(error.code)
}

interface Subject {
  readonly site: string
  readonly device: string
  readonly evidenceId: string
  readonly ciphertextSha256: string | undefined
}

/** The manifest, signed by the device and about the evidence that its topic says. */
async function checkManifest(
  topic: Announcement,
  payload: Buffer,
  deviceKeys: DeviceKeys,
): Promise<Manifest> {
  if (payload.length > MAX_MANIFEST_BYTES) {
    throw new RoadveilError('ERR_MESSAGE', `a manifest has ${payload.length} bytes`)
  }
  const sender = { deviceId: topic.device, deviceKeys: await deviceKeys(topic.device) }
  const manifest = verifyManifest(payload, sender)
  if (manifest.site !== topic.site || manifest.evidenceId !== topic.evidenceId) {
    throw new RoadveilError('ERR_MANIFEST_MISMATCH', 'a manifest came under a topic that it is not about')
  }
  return manifest
}

const claimSchema = z.object({ ciphertextSha256: z.string().regex(/^[0-9a-f]{64}$/) })

/** The hash that a manifest names which was not believed: good for nothing but telling the sender what was refused. */
function claimedHash(payload: Buffer): string | undefined {
  try {
    const envelope = z.object({ payload: z.string() }).parse(JSON.parse(payload.toString('utf8')))
    return claimSchema.parse(JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')))
      .ciphertextSha256
  } catch {
    return undefined
  }
}

/** An error of the file system, as it comes from Node, in our words. */
function coded(error: unknown): unknown {
  if (isRoadveilError(error) || !(error instanceof Error) || !('syscall' in error)) return error
  return new RoadveilError('ERR_OUTPUT_FAILED', 'what came in could not be kept', { cause: error })
}
