import { RoadveilError } from '../errors.ts'
import type { Manifest } from '../sealing/manifest.ts'
import { sha256Hex } from '../sealing/seal.ts'

/** Evidence that was announced and is not accepted yet, as it was at one moment. */
export interface Assembly {
  readonly manifest: Manifest
  /** The signed manifest. */
  readonly envelope: Uint8Array
  /** Indexes of the chunks that are missing, ascending. */
  readonly missing: readonly number[]
}

/** Evidence of which nothing is missing. */
export interface WholeEvidence {
  readonly manifest: Manifest
  readonly envelope: Uint8Array
  readonly ciphertext: Buffer
}

/** What the back office is told of evidence that the city accepted. No plate, no picture. */
export interface StoredEvidence {
  readonly site: string
  readonly device: string
  readonly evidenceId: string
  readonly camera: string
  readonly rule: string
  readonly mode: 'warning' | 'live'
  /** ISO 8601, UTC, on the camera's time line. */
  readonly judgedAt: string
  /** Bytes of the sealed form. */
  readonly bytes: number
  /** Of the sealed form, lower-case hex. */
  readonly ciphertextSha256: string
  /** Where it lies: a folder, or s3://BUCKET/SITE/DEVICE/EVIDENCE/. */
  readonly location: string
  /** ISO 8601, UTC, on the city's clock. */
  readonly acceptedAt: string
}

/** Evidence that lies where it belongs and is not accepted yet. */
export type KeptEvidence = Omit<StoredEvidence, 'acceptedAt'>

/**
 * Opens, checks and stores whole evidence. Gives nothing when it was refused and set aside; throws when it is to be tried again.
 */
export type Accept = (whole: WholeEvidence) => Promise<KeptEvidence | undefined>

/** How bringing an evidence to its end went; undefined when there was nothing to end, or it was refused. */
export type Completion =
  | { readonly status: 'stored'; readonly evidence: StoredEvidence }
  | { readonly status: 'duplicate' }
  | undefined

/**
 * What comes in, until it is accepted: once for each device and evidence id, however often and by whichever receiver it is heard.
 * Ciphertext only: nothing of it was opened.
 */
export interface Incoming {
  /** What an earlier run left, where this run has to go on with it; what is damaged is thrown away. */
  leftovers(): Promise<readonly Assembly[]>
  /**
   * Begins an assembly, in the place of another one under the same id, or goes on with it.
   *
   * @throws RoadveilError ERR_ASSEMBLY_LIMIT; ERR_EVIDENCE_CONFLICT when something else was accepted under this id.
   */
  begin(manifest: Manifest, envelope: Uint8Array): Promise<Assembly | 'accepted'>
  /**
   * Takes a chunk.
   *
   * @throws RoadveilError ERR_CHUNK_UNEXPECTED, ERR_CHUNK_CHANGED when it is not the one that was signed.
   */
  add(of: EvidenceName, index: number, bytes: Uint8Array): Promise<Assembly>
  /**
   * Has whole evidence accepted, by nobody else at the same time, and forgets its parts. Throws what `accept` throws; the parts are
   * still there then.
   */
  complete(assembly: Assembly, accept: Accept): Promise<Completion>
  /** Assemblies that have got nothing for a while; each is named once, to one receiver, until it gets something. */
  silent(forMs: number): Promise<readonly Assembly[]>
  /** Notes that the back office was told. */
  told(evidence: StoredEvidence): Promise<void>
  /** What was accepted a while ago without that the back office was told: its receiver was killed. Each to one receiver only. */
  untold(forMs: number): Promise<readonly StoredEvidence[]>
}

/** Which evidence a message is about, as its topic says. */
export interface EvidenceName {
  readonly site: string
  readonly device: string
  readonly evidenceId: string
}

export interface IncomingLimits {
  readonly maxAssemblies: number
  /** Of one device, whose longest silent one makes room for a new one: the forwarder has six under way. */
  readonly maxPerDevice: number
  /** Ciphertext of all together. */
  readonly maxBytes: number
  /** Beyond this an assembly that got nothing is thrown away: its box announces it again. */
  readonly maxAgeMs: number
  /** An assembly that got nothing for this long makes room for a new one. */
  readonly idleMs: number
}

export const DEFAULT_INCOMING_LIMITS: IncomingLimits = {
  maxAssemblies: 1000,
  maxPerDevice: 16,
  maxBytes: 4 * 1024 ** 3,
  maxAgeMs: 86_400_000,
  idleMs: 600_000,
}

/** An assembly as far as it takes room. */
export interface Occupant {
  readonly device: string
  /** Of its whole ciphertext. */
  readonly bytes: number
  /** Since it got something. */
  readonly idleMs: number
}

/**
 * Which assemblies have to go so that there is room for another: those that are too old, and of those that are silent for long as
 * many as it takes, the longest silent first.
 *
 * @throws RoadveilError ERR_ASSEMBLY_LIMIT when that is not enough.
 */
export function makeRoom<T extends Occupant>(
  all: readonly T[],
  { device, ciphertextBytes }: Manifest,
  limits: IncomingLimits,
): readonly T[] {
  const longestFirst = [...all].sort((a, b) => b.idleMs - a.idleMs)
  let staying = longestFirst.filter(({ idleMs }) => idleMs <= limits.maxAgeMs)
  // Of the same device the longest silent goes at any time: parts that never come, such as those that a broker refuses, must not keep
  // the rest of the device's evidence out.
  const ofDevice = staying.filter((each) => each.device === device)
  const surplus = new Set(ofDevice.slice(0, Math.max(0, ofDevice.length - limits.maxPerDevice + 1)))
  staying = staying.filter((each) => !surplus.has(each))
  const full = (): boolean =>
    staying.length >= limits.maxAssemblies ||
    staying.reduce((sum, { bytes }) => sum + bytes, ciphertextBytes) > limits.maxBytes
  for (const each of staying) {
    if (full() && each.idleMs > limits.idleMs) staying = staying.filter((other) => other !== each)
  }
  if (full()) throw new RoadveilError('ERR_ASSEMBLY_LIMIT', 'too much evidence is coming in at once')
  return longestFirst.filter((each) => !staying.includes(each))
}

/** Throws ERR_CHUNK_UNEXPECTED, ERR_CHUNK_CHANGED when it is not the one that was signed. */
export function checkChunk(manifest: Manifest, index: number, bytes: Uint8Array): void {
  const sha256 = manifest.chunks[index]
  if (sha256 === undefined) throw new RoadveilError('ERR_CHUNK_UNEXPECTED', `there is no chunk ${index}`)
  if (sha256Hex(bytes) !== sha256) {
    throw new RoadveilError('ERR_CHUNK_CHANGED', `chunk ${index} is not the one that was signed`)
  }
}
