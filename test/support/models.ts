import { existsSync } from 'node:fs'
import { modelDirectory } from '../../scripts/demo/trial.ts'
import type { ModelSource } from '../../src/detection/manifest.ts'
import { loadModelSource } from '../../src/detection/source.ts'

/** Says why tests with the downloaded networks are skipped, or false where those are there. */
export const noModels: string | false = existsSync(`${modelDirectory()}/yolox_nano.onnx`)
  ? false
  : 'the networks are neither in ../shared/models nor in .models (roadveil models pull)'

/** The release's networks. */
export async function modelSource(): Promise<ModelSource> {
  return loadModelSource(modelDirectory())
}
