import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RoadveilError } from '../../errors.ts'
import type { Manifest } from '../../sealing/manifest.ts'
import { sha256Hex } from '../../sealing/seal.ts'
import { filesOf, SEALED_FILE, type Storage } from '../storage.ts'
import { makeFolder, readIfThere, writeFolder } from './files.ts'

/**
 * Keeps evidence as `<directory>/<site>/<device>/<evidenceId>/`. All three names were checked by the manifest's schema.
 * What is being written lies below `.writing/<writer>`, which is emptied here: a receiver that was killed left it.
 *
 * @param writer a name that no other receiver has who writes there: one that wakes up late must not disturb another.
 * @throws RoadveilError ERR_OUTPUT_FAILED when the folder cannot be used.
 */
export async function openFolderStorage(directory: string, writer: string): Promise<Storage> {
  const writing = join(directory, '.writing', writer)
  const folderOf = ({ site, device, evidenceId }: Manifest): string =>
    join(directory, site, device, evidenceId)

  const has = async (manifest: Manifest): Promise<boolean> => {
    const folder = folderOf(manifest)
    const sealed = await readIfThere(join(folder, SEALED_FILE))
    const facts = await readIfThere(join(folder, 'evidence.json'))
    if (!sealed && !facts) return false
    // The bytes themselves are compared: `duplicate` lets the box delete its copy.
    if (sealed && facts && sha256Hex(sealed) === manifest.ciphertextSha256) return true
    throw new RoadveilError('ERR_EVIDENCE_CONFLICT', `${folder} holds something else`)
  }

  try {
    await makeFolder(directory)
    await rm(writing, { recursive: true, force: true })
  } catch (cause) {
    throw new RoadveilError('ERR_OUTPUT_FAILED', `cannot use ${directory}`, { cause })
  }
  return {
    has,
    async store(evidence, sealed) {
      const { manifest } = evidence
      const folder = folderOf(manifest)
      // A receiver that was killed between writing and accepting leaves it.
      if (!(await has(manifest))) {
        await writeFolder(folder, filesOf(evidence, sealed), join(writing, manifest.evidenceId))
      }
      return folder
    },
  }
}
