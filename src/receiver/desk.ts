import { z } from 'zod'
import type { EvidenceFacts } from '../domain/evidence.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { IncomingMessage } from '../protocol/connection.ts'
import { MAX_MANIFEST_BYTES } from '../protocol/limits.ts'
import { decodeStatus } from '../protocol/status.ts'
import { parseTopic, type Topic } from '../protocol/topics.ts'
import { type Manifest, verifyManifest } from '../sealing/manifest.ts'
import { openEvidence, type OpenedEvidence } from '../sealing/open.ts'
import type { Answers } from './answers.ts'
import type { DeviceKeys } from './devices.ts'
import type { EndorsedKeys } from './endorsed-keys.ts'
import type { NewFile } from './files.ts'
import type { Assembly, Incoming } from './incoming.ts'
import type { Quarantine } from './quarantine.ts'
import type { Storage } from './storage.ts'
import type { Witness } from './witness.ts'

/** Evidence that is on the city's disk. */
export interface StoredEvidence {
  readonly site: string
  readonly device: string
  readonly evidenceId: string
  /** Where it lies. */
  readonly folder: string
  /** Bytes of the sealed form. */
  readonly bytes: number
  readonly facts: EvidenceFacts
}

/** Takes messages of boxes, one after the other. */
export interface Desk extends Disposable {
  /** Deals with one message. Never fails: what cannot be dealt with is logged, and the box sends it again. */
  handle(message: IncomingMessage): Promise<void>
  /** Goes on with what an earlier run left. */
  resume(): Promise<void>
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
  const timers = new Map<string, NodeJS.Timeout>()

  const disarm = ({ manifest: { device, evidenceId } }: Assembly): void => {
    clearTimeout(timers.get(`${device}/${evidenceId}`))
    timers.delete(`${device}/${evidenceId}`)
  }

  const arm = (assembly: Assembly): void => {
    disarm(assembly)
    const { device, evidenceId } = assembly.manifest
    const timer = setTimeout(() => {
      // It may have made room for another.
      if (incoming.find(device, evidenceId) === assembly) ask(assembly)
    }, deps.askAfterMs)
    timers.set(`${device}/${evidenceId}`, timer)
  }

  const ask = (assembly: Assembly): void => {
    answers.send(assembly.manifest, { status: 'incomplete', missing: assembly.missing() })
  }

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

  const finish = async (assembly: Assembly): Promise<void> => {
    disarm(assembly)
    const { manifest, envelope } = assembly
    const ciphertext = await incoming.ciphertext(assembly)
    let opened: OpenedEvidence
    try {
      const { device } = manifest
      const city = { deviceId: device, deviceKeys: deviceKeys(device), identity: deps.identity }
      opened = await openEvidence(envelope, ciphertext, city)
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      const sealed = { name: 'evidence.tar.age', bytes: ciphertext }
      await refuse(manifest, error, [{ name: 'manifest.dsse.json', bytes: envelope }, sealed])
      await incoming.remove(assembly)
      return
    }
    const folder = await storage.store(opened, { manifest: envelope, ciphertext })
    await incoming.remove(assembly)
    const { site, device, evidenceId } = manifest
    logger.info('evidence was stored', { site, device, evidenceId, bytes: ciphertext.length })
    deps.stored({ site, device, evidenceId, folder, bytes: ciphertext.length, facts: opened.facts })
    answers.send(manifest, { status: 'stored' })
  }

  const goOn = async (assembly: Assembly): Promise<void> => {
    // Stored, but stopped before its parts were removed.
    if (await storage.has(assembly.manifest)) await duplicate(assembly.manifest)
    else if (assembly.missing().length === 0) {
      await finish(assembly)
    } else {
      ask(assembly)
      arm(assembly)
    }
  }

  const duplicate = async (manifest: Manifest): Promise<void> => {
    const leftover = incoming.find(manifest.device, manifest.evidenceId)
    if (leftover) await incoming.remove(leftover)
    answers.send(manifest, { status: 'duplicate' })
  }

  const takeManifest = async (topic: Announcement, payload: Buffer): Promise<void> => {
    let manifest: Manifest
    try {
      manifest = checkManifest(topic, payload, deviceKeys)
      if (await storage.has(manifest)) {
        await duplicate(manifest)
        return
      }
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      const files = [{ name: 'manifest.dsse.json', bytes: payload.subarray(0, MAX_MANIFEST_BYTES) }]
      await refuse({ ...topic, ciphertextSha256: claimedHash(payload) }, error, files)
      return
    }
    const before = incoming.find(topic.device, topic.evidenceId)
    const same = before?.manifest.ciphertextSha256 === manifest.ciphertextSha256
    await goOn(before && same ? before : await incoming.begin(manifest, payload))
  }

  const takeChunk = async (topic: Extract<Topic, { kind: 'chunk' }>, payload: Buffer): Promise<void> => {
    const assembly = incoming.find(topic.device, topic.evidenceId)
    if (!assembly || assembly.manifest.site !== topic.site) {
      throw new RoadveilError('ERR_CHUNK_UNEXPECTED', 'a chunk came of evidence that was not announced')
    }
    arm(assembly)
    await incoming.add(assembly, topic.index, payload)
    if (assembly.missing().length === 0) await finish(assembly)
  }

  const take = async (topic: Topic, payload: Buffer): Promise<void> => {
    const { device, site } = topic
    switch (topic.kind) {
      case 'manifest':
        await takeManifest(topic, payload)
        return
      case 'chunk':
        await takeChunk(topic, payload)
        return
      case 'status':
        logger.info('a device reported', { device, site, state: decodeStatus(payload).state })
        return
      case 'checkpoint':
        await deps.witness.take(topic, payload)
        return
      case 'endorsement':
        await deps.endorsed.take(topic, payload)
        return
      case 'receipt':
        throw new RoadveilError('ERR_TOPIC', 'a receipt came where boxes write')
    }
  }

  return {
    async handle({ topic, payload }) {
      try {
        await take(parseTopic(deps.prefix, topic), payload)
      } catch (error) {
        logger.warn('a message was not taken', { error: coded(error) })
      }
    },
    async resume() {
      await incoming.load()
      for (const assembly of [...incoming.all()]) {
        await goOn(assembly).catch((error: unknown) => {
          logger.warn('evidence that had come in could not be finished', { error: coded(error) })
        })
      }
    },
    [Symbol.dispose]() {
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
    },
  }
}

interface Subject {
  readonly site: string
  readonly device: string
  readonly evidenceId: string
  readonly ciphertextSha256: string | undefined
}

/** The manifest, signed by the device and about the evidence that its topic says. */
function checkManifest(topic: Announcement, payload: Buffer, deviceKeys: DeviceKeys): Manifest {
  if (payload.length > MAX_MANIFEST_BYTES) {
    throw new RoadveilError('ERR_MESSAGE', `a manifest has ${payload.length} bytes`)
  }
  const sender = { deviceId: topic.device, deviceKeys: deviceKeys(topic.device) }
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
