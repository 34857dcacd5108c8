import { createHash } from 'node:crypto'
import { ReadableStream } from 'node:stream/web'
import { Encrypter } from 'age-encryption'
import type { RedactedEvidence } from '../domain/evidence.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { MAX_CHUNK_BYTES, MAX_EVIDENCE_BYTES } from '../protocol/limits.ts'
import { fingerprint, type SigningKey } from './keys.ts'
import { signManifest } from './manifest.ts'
import { packEvidence } from './package.ts'

/** Who can open evidence, as age recipients (`age1…`). */
export interface Recipients {
  readonly operational: string
  readonly recovery: string
}

/** Evidence that only the city can open. */
export interface SealedEvidence {
  readonly evidenceId: string
  /** The signed manifest: a DSSE envelope. */
  readonly manifest: Uint8Array
  /** Of the ciphertext, in lower-case hex. */
  readonly ciphertextSha256: string
  readonly ciphertextBytes: number
  /** The ciphertext, an age file, in pieces of `MAX_CHUNK_BYTES`; the last one may be shorter. */
  readonly chunks: readonly Uint8Array[]
}

/**
 * Seals evidence: packs it, encrypts it to the city's two recipients, and signs a manifest of the result. age makes a fresh key
 * for each file and forgets it, so whoever calls this can't open it again. Beside the evidence itself only the ciphertext is ever
 * whole in memory: a box has little.
 *
 * Throws ERR_PACKAGE_MISMATCH, ERR_EVIDENCE_TOO_LARGE as `packEvidence` does, ERR_KEY_INVALID for a recipient that is none.
 */
export async function sealEvidence(
  evidence: RedactedEvidence,
  to: { readonly signingKey: SigningKey; readonly recipients: Recipients; readonly sealedAt: EpochMs },
): Promise<SealedEvidence> {
  const { facts } = evidence
  const encrypter = encrypterFor(to.recipients)
  const packed = ReadableStream.from(packEvidence(evidence))
  const { chunks, bytes, sha256 } = await inChunks(await encrypter.encrypt(packed))
  if (bytes > MAX_EVIDENCE_BYTES) {
    throw new RoadveilError('ERR_EVIDENCE_TOO_LARGE', `evidence ${facts.evidenceId} is too large when sealed`)
  }
  const manifest = signManifest(
    {
      schema: 'roadveil.manifest.v1',
      evidenceId: facts.evidenceId,
      site: facts.site,
      device: facts.device,
      camera: facts.camera,
      judgedAt: facts.times.judged.camera,
      sealedAt: iso(to.sealedAt),
      ciphertextSha256: sha256,
      ciphertextBytes: bytes,
      chunkBytes: MAX_CHUNK_BYTES,
      chunks: chunks.map(sha256Hex),
      recipients: {
        operational: fingerprint(to.recipients.operational),
        recovery: fingerprint(to.recipients.recovery),
      },
    },
    to.signingKey,
  )
  return { evidenceId: facts.evidenceId, manifest, ciphertextSha256: sha256, ciphertextBytes: bytes, chunks }
}

function encrypterFor(recipients: Recipients): Encrypter {
  const encrypter = new Encrypter()
  for (const [role, recipient] of Object.entries(recipients) as [string, string][]) {
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      throw new RoadveilError('ERR_KEY_INVALID', `the ${role} recipient is no age recipient`, { cause })
    }
  }
  return encrypter
}

/** Cuts a stream into chunks, and hashes it as a whole. */
async function inChunks(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly chunks: Uint8Array[]; readonly bytes: number; readonly sha256: string }> {
  const chunks: Uint8Array[] = []
  const hash = createHash('sha256')
  let chunk = new Uint8Array(MAX_CHUNK_BYTES)
  let used = 0
  let bytes = 0
  for await (const piece of stream) {
    hash.update(piece)
    bytes += piece.length
    for (let at = 0; at < piece.length;) {
      const taken = piece.subarray(at, at + MAX_CHUNK_BYTES - used)
      chunk.set(taken, used)
      at += taken.length
      used += taken.length
      if (used < MAX_CHUNK_BYTES) continue
      chunks.push(chunk)
      chunk = new Uint8Array(MAX_CHUNK_BYTES)
      used = 0
    }
  }
  if (used > 0) chunks.push(chunk.subarray(0, used))
  return { chunks, bytes, sha256: hash.digest('hex') }
}

/** SHA-256, lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
