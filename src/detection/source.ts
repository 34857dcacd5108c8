import { fileURLToPath } from 'node:url'
import { type ModelSource, loadManifest } from './manifest.ts'

/** The manifest belongs to the release: it pins the networks that this code was tested with. */
export const MANIFEST_FILE = fileURLToPath(new URL('../../models/manifest.json', import.meta.url))

/** Public networks that ours are measured against. */
const PUBLIC_MANIFEST_FILE = fileURLToPath(new URL('../../models/public.json', import.meta.url))

/**
 * The release's manifest, and where its networks are looked for: in the folder of the config first, then beside the
 * manifest.
 *
 * @param directory `models.directory` of the config
 * @throws ERR_MODEL_MANIFEST
 */
export async function loadModelSource(directory: string): Promise<ModelSource> {
  const shipped = fileURLToPath(new URL('../../models', import.meta.url))
  return { manifest: await loadManifest(MANIFEST_FILE), directories: [directory, shipped] }
}

/**
 * The public networks for comparison, as `roadveil models pull --public` fetches them.
 *
 * @param directory where they are
 * @throws ERR_MODEL_MANIFEST
 */
export async function loadPublicModels(directory: string): Promise<ModelSource> {
  return { manifest: await loadManifest(PUBLIC_MANIFEST_FILE), directories: [directory] }
}
