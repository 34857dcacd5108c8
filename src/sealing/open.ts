import { Decrypter } from 'age-encryption'
import type { RedactedEvidence } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import type { VerifyKeys } from './keys.ts'
import { type Manifest, verifyManifest } from './manifest.ts'
import { unpackEvidence } from './package.ts'
import { sha256Hex } from './seal.ts'

/** Evidence that was opened and checked by the city. */
export interface OpenedEvidence extends RedactedEvidence {
  readonly manifest: Manifest
}

/**
 * Opens sealed evidence on the city's side, checking the signature, size and hash before decrypting anything, and every file after.
 *
 * Throws what `verifyManifest` and `unpackEvidence` do, ERR_CIPHERTEXT_MISMATCH when it is not what the manifest names,
 * ERR_DECRYPT_FAILED when the identity does not open it, ERR_PACKAGE_MISMATCH when its facts contradict the manifest.
 */
export async function openEvidence(
  envelope: Uint8Array,
  ciphertext: Uint8Array,
  city: {
    readonly deviceId: string
    readonly deviceKeys: VerifyKeys
    /** AGE-SECRET-KEY-1… */
    readonly identity: string
  },
): Promise<OpenedEvidence> {
  const manifest = verifyManifest(envelope, city)
  if (ciphertext.length !== manifest.ciphertextBytes || sha256Hex(ciphertext) !== manifest.ciphertextSha256) {
    throw new RoadveilError(
      'ERR_CIPHERTEXT_MISMATCH',
      'the sealed evidence is not the one that the manifest names',
    )
  }
  const evidence = await unpackEvidence(await decrypt(ciphertext, city.identity))
  const { facts } = evidence
  for (const [told, inside] of [
    [manifest.evidenceId, facts.evidenceId],
    [manifest.site, facts.site],
    [manifest.device, facts.device],
    [manifest.camera, facts.camera],
    [manifest.judgedAt, facts.times.judged.camera],
  ]) {
    if (told !== inside)
      throw new RoadveilError('ERR_PACKAGE_MISMATCH', 'evidence.json contradicts the manifest')
  }
  return { manifest, ...evidence }
}

async function decrypt(ciphertext: Uint8Array, identity: string): Promise<Uint8Array> {
  const decrypter = new Decrypter()
  try {
    decrypter.addIdentity(identity)
  } catch {
    // age's message could quote the identity: no cause.
    throw new RoadveilError('ERR_KEY_INVALID', 'the identity is no age identity')
  }
  try {
    return await decrypter.decrypt(ciphertext)
  } catch (cause) {
    throw new RoadveilError('ERR_DECRYPT_FAILED', 'the sealed evidence cannot be decrypted', { cause })
  }
}
