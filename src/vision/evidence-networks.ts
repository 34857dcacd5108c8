import type { ModelSource } from '../models/manifest.ts'
import { openObjectDetector } from '../detection/objects.ts'
import { openPlateTextNetwork } from '../detection/plate-text.ts'
import { openRegionDetector } from '../detection/regions.ts'
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
      regions: await openRegionDetector(models, 'regions', 2),
      fineRegions: await openRegionDetector(models, 'regions-fine', 2),
    },
    plateText: await openPlateTextNetwork(models),
  }
}
