import { RoadveilError } from '../../errors.ts'
import type { Manifest } from '../../sealing/manifest.ts'
import { sha256Hex } from '../../sealing/seal.ts'
import { filesOf, SEALED_FILE, type Storage } from '../storage.ts'
import type { Bucket } from './bucket.ts'

/**
 * Keeps evidence as objects `SITE/DEVICE/EVIDENCE/…` of a bucket. A store has no folder that is there as a whole or not at all: the
 * sealed form is written last, and evidence of which it is there is there.
 */
export function createBucketStorage(bucket: Bucket): Storage {
  const prefixOf = ({ site, device, evidenceId }: Manifest): string => `${site}/${device}/${evidenceId}/`

  const has = async (manifest: Manifest): Promise<boolean> => {
    const sealed = await bucket.get(prefixOf(manifest) + SEALED_FILE)
    if (!sealed) return false
    // The bytes themselves are compared: `duplicate` lets the box delete its copy.
    if (sha256Hex(sealed) === manifest.ciphertextSha256) return true
    const place = `${bucket.url}${prefixOf(manifest)}`
    throw new RoadveilError('ERR_EVIDENCE_CONFLICT', `${place} holds something else`)
  }

  return {
    has,
    async store(evidence, sealed) {
      const prefix = prefixOf(evidence.manifest)
      if (!(await has(evidence.manifest))) {
        // In their order, which ends with the sealed form.
        for (const { name, bytes } of filesOf(evidence, sealed)) await bucket.put(prefix + name, bytes)
      }
      return bucket.url + prefix
    },
  }
}
