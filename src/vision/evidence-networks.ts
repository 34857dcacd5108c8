import { openFaceDetector } from '../detection/faces.ts'
import type { ModelSource } from '../detection/manifest.ts'
import { openObjectDetector } from '../detection/objects.ts'
import { openPlateTextNetwork } from '../detection/plate-text.ts'
import { openPlateDetector } from '../detection/plates.ts'
import type { EvidenceDeps } from '../evidence/check.ts'

/**
 * Loads every network that evidence needs, once.
 *
 * @throws RoadveilError ERR_MODEL_*
 */
export async function openEvidenceNetworks(models: ModelSource): Promise<EvidenceDeps> {
  return {
    detectors: {
      objects: await openObjectDetector(models, 2),
      faces: await openFaceDetector(models, 2),
      plates: await openPlateDetector(models, 'plates'),
      platesClose: await openPlateDetector(models, 'plates-small'),
    },
    plateText: await openPlateTextNetwork(models),
  }
}
