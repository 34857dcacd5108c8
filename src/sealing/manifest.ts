import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_EVIDENCE_BYTES, MAX_MANIFEST_BYTES } from '../protocol/limits.ts'
import { type StatementSender, verifyStatement } from './device-statement.ts'
import { signEnvelope } from './dsse.ts'
import type { SigningKey } from './keys.ts'

/**
 * The manifest of a sealed evidence: what the city learns before it decrypts, signed by the box. No plate, no picture, no rule.
 */

/** Media type of the signed payload. */
export const MANIFEST_TYPE = 'application/vnd.roadveil.manifest.v1+json'
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const fingerprint = z.string().regex(/^[0-9a-f]{16}$/)
const instant = z.iso.datetime({ precision: 3 })

/** What is signed. */
export const manifestSchema = z.strictObject({
  schema: z.literal('roadveil.manifest.v1'),
  evidenceId: z.uuid(),
  site: slugSchema,
  device: slugSchema,
  camera: slugSchema,
  judgedAt: instant.describe('When the rule was broken, on the time line of the camera'),
  sealedAt: instant.describe("When it was sealed, on the box's clock"),
  ciphertextSha256: sha256,
  ciphertextBytes: z.int().min(1).max(MAX_EVIDENCE_BYTES),
  chunkBytes: z.literal(MAX_CHUNK_BYTES),
  chunks: z.array(sha256).min(1).max(MAX_CHUNKS).describe('SHA-256 of each chunk'),
  recipients: z.strictObject({ operational: fingerprint, recovery: fingerprint }),
})
export type Manifest = z.infer<typeof manifestSchema>

const FORM = {
  type: MANIFEST_TYPE,
  schema: manifestSchema,
  maxBytes: MAX_MANIFEST_BYTES,
  code: 'ERR_MANIFEST_INVALID',
  what: 'the manifest',
} as const

/** Signs a manifest as the box. */
export function signManifest(manifest: Manifest, key: SigningKey): Uint8Array {
  return signEnvelope(MANIFEST_TYPE, Buffer.from(JSON.stringify(manifest)), key)
}

/**
 * Returns the manifest in an envelope that `deviceId` has signed with one of its keys.
 *
 * Throws what `verifyEnvelope` does, and ERR_MANIFEST_INVALID when its form is wrong or it speaks for another device.
 */
export function verifyManifest(envelope: Uint8Array, sender: StatementSender): Manifest {
  const { statement: manifest } = verifyStatement(envelope, sender, FORM)
  if (manifest.chunks.length !== Math.ceil(manifest.ciphertextBytes / manifest.chunkBytes)) {
    throw new RoadveilError('ERR_MANIFEST_INVALID', 'the number of chunks does not fit the size')
  }
  return manifest
}
