import { fileURLToPath } from 'node:url'
import { type ModelSource, loadManifest } from './manifest.ts'

/** Both lie in the release: networks and the manifest that pins them were tested with this code. */
const RELEASE = fileURLToPath(new URL('../../models/', import.meta.url))

/** Pins the networks that the product runs. */
export const MANIFEST_FILE = `${RELEASE}manifest.json`

/** Pins public networks that ours are measured against. */
const PUBLIC_MANIFEST_FILE = `${RELEASE}public.json`

/**
 * The release's networks.
 *
 * @throws ERR_MODEL_MANIFEST
 */
export async function loadModelSource(): Promise<ModelSource> {
  return { manifest: await loadManifest(MANIFEST_FILE), directory: RELEASE }
}

/**
 * The public networks for comparison, as `roadveil models pull` fetches them.
 *
 * @param directory where they are
 * @throws ERR_MODEL_MANIFEST
 */
export async function loadPublicModels(directory: string): Promise<ModelSource> {
  return { manifest: await loadManifest(PUBLIC_MANIFEST_FILE), directory }
}
