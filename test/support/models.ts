import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MODEL_DIRECTORIES, modelDirectory } from '../../scripts/demo/trial.ts'
import { type ModelSource, loadManifest } from '../../src/detection/manifest.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** Says why tests with real networks are skipped, or false where the networks are there. */
export const noModels: string | false = existsSync(`${modelDirectory()}/yolox_nano.onnx`)
  ? false
  : 'the networks are neither in ../shared/models nor in .models (roadveil models pull)'

/** The release's networks. */
export async function modelSource(): Promise<ModelSource> {
  return { manifest: await loadManifest(`${project}models/manifest.json`), directories: MODEL_DIRECTORIES }
}
