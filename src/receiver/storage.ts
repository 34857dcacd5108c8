import { join } from 'node:path'
import { RoadveilError } from '../errors.ts'
import type { Manifest } from '../sealing/manifest.ts'
import type { OpenedEvidence } from '../sealing/open.ts'
import { sha256Hex } from '../sealing/seal.ts'
import { readIfThere, writeFolder } from './files.ts'

/** The sealed form, kept beside the opened one: proof of who sent what, and readable by any age program. */
export interface SealedForm {
  readonly manifest: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Where opened evidence is kept, one folder each. */
export interface Storage {
  /**
   * Whether this very evidence is stored.
   *
   * @throws RoadveilError ERR_EVIDENCE_CONFLICT when something else lies under its name.
   */
  has(manifest: Manifest): Promise<boolean>
  /** Writes evidence; returns its folder. Throws ERR_OUTPUT_FAILED. */
  store(evidence: OpenedEvidence, sealed: SealedForm): Promise<string>
}

const SEALED_FILE = join('sealed', 'evidence.tar.age')

/** Keeps evidence as `<directory>/<site>/<device>/<evidenceId>/`. All three names were checked by the manifest's schema. */
export function createStorage(directory: string): Storage {
  const folderOf = ({ site, device, evidenceId }: Manifest): string =>
    join(directory, site, device, evidenceId)
  return {
    async has(manifest) {
      const folder = folderOf(manifest)
      const sealed = await readIfThere(join(folder, SEALED_FILE))
      const facts = await readIfThere(join(folder, 'evidence.json'))
      if (!sealed && !facts) return false
      // The bytes themselves are compared: `duplicate` lets the box delete its copy.
      if (sealed && facts && sha256Hex(sealed) === manifest.ciphertextSha256) return true
      throw new RoadveilError('ERR_EVIDENCE_CONFLICT', `${folder} holds something else`)
    },
    async store({ manifest, facts, files }, sealed) {
      const folder = folderOf(manifest)
      await writeFolder(folder, [
        { name: 'evidence.json', bytes: Buffer.from(JSON.stringify(facts, null, 2) + '\n') },
        ...files,
        { name: join('sealed', 'manifest.dsse.json'), bytes: sealed.manifest },
        { name: SEALED_FILE, bytes: sealed.ciphertext },
      ])
      return folder
    },
  }
}
