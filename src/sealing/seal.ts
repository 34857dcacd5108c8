import { createHash } from 'node:crypto'
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
  /** An age file. */
  readonly ciphertext: Uint8Array
  /** Lower-case hex. */
  readonly ciphertextSha256: string
  /** The ciphertext in pieces of at most `MAX_CHUNK_BYTES`: views, not copies. */
  readonly chunks: readonly Uint8Array[]
}

/**
 * Seals evidence: packs it, encrypts it to the city's two recipients, and signs a manifest of the result. age makes a fresh key
 * for each file and forgets it, so whoever calls this can't open it again.
 *
 * Throws ERR_PACKAGE_MISMATCH, ERR_EVIDENCE_TOO_LARGE as `packEvidence` does, ERR_KEY_INVALID for a recipient that is none.
 */
export async function sealEvidence(
  evidence: RedactedEvidence,
  to: { readonly signingKey: SigningKey; readonly recipients: Recipients; readonly sealedAt: EpochMs },
): Promise<SealedEvidence> {
  const { facts } = evidence
  const encrypter = encrypterFor(to.recipients)
  const ciphertext = await encrypter.encrypt(await packEvidence(evidence))
  if (ciphertext.length > MAX_EVIDENCE_BYTES) {
    throw new RoadveilError('ERR_EVIDENCE_TOO_LARGE', `evidence ${facts.evidenceId} is too large when sealed`)
  }
  const chunks = sliceChunks(ciphertext)
  const ciphertextSha256 = sha256Hex(ciphertext)
  const manifest = signManifest(
    {
      schema: 'roadveil.manifest.v1',
      evidenceId: facts.evidenceId,
      site: facts.site,
      device: facts.device,
      camera: facts.camera,
      judgedAt: facts.times.judged.camera,
      sealedAt: iso(to.sealedAt),
      ciphertextSha256,
      ciphertextBytes: ciphertext.length,
      chunkBytes: MAX_CHUNK_BYTES,
      chunks: chunks.map(sha256Hex),
      recipients: {
        operational: fingerprint(to.recipients.operational),
        recovery: fingerprint(to.recipients.recovery),
      },
    },
    to.signingKey,
  )
  return { evidenceId: facts.evidenceId, manifest, ciphertext, ciphertextSha256, chunks }
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

function sliceChunks(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(bytes.length / MAX_CHUNK_BYTES)
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * MAX_CHUNK_BYTES, (index + 1) * MAX_CHUNK_BYTES),
  )
}

/** SHA-256, lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
