import type { Detection, ObjectClass } from '../../../src/domain/detection.ts'
import { familyOf } from '../../../src/domain/detection.ts'
import type { RawFrame } from '../../../src/domain/frame.ts'
import { clip, type PixelBox } from '../../../src/domain/geometry.ts'
import { RoadveilError } from '../../../src/errors.ts'
import { findModel, requireStages, type ModelSource } from '../../../src/models/manifest.ts'
import { fit, sample, squareCanvas } from '../../../src/detection/sample.ts'
import { openSession } from '../../../src/detection/session.ts'
import { suppress } from '../../../src/detection/suppression.ts'
import { decodeYolox } from './yolox.ts'

const SIZE = 416
const MIN_SCORE = 0.1
const MAX_OVERLAP = 0.5
const CLASSES: readonly ObjectClass[] = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck']

/** The public network for persons and vehicles. */
export interface PublicObjectDetector {
  /**
   * Persons and vehicles in a part of a frame, which is scaled to fit the input of 416x416.
   *
   * @throws ERR_DETECTION_FAILED
   */
  detect(frame: RawFrame, part: PixelBox): Promise<Detection[]>
}

/**
 * Loads the network of the role `objects`.
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openPublicObjectDetector(source: ModelSource): Promise<PublicObjectDetector> {
  const entry = findModel(source.manifest, 'objects')
  requireStages(entry, 'letterboxed-planes', 'yolox-grid')
  const columns = CLASSES.map((name) => entry.classes.indexOf(name))
  const session = await openSession(entry, source.directory)
  const canvas = squareCanvas(SIZE, entry.input)

  return {
    async detect(frame, part) {
      const place = fit(part, SIZE, SIZE, 'top-left')
      const { output } = await session.run([1, 3, SIZE, SIZE], () => {
        sample(frame, part, place, canvas)
        return canvas.values
      })
      if (!output) throw new RoadveilError('ERR_DETECTION_FAILED', 'objects: the network gave no grid')
      const found: Detection[] = []
      for (const { box, score, choice } of decodeYolox(output, SIZE, 85, columns, MIN_SCORE)) {
        const kind = CLASSES[choice]
        const placed = clip({
          x: (part.x + (box.x * part.w) / place.w) / frame.width,
          y: (part.y + (box.y * part.h) / place.h) / frame.height,
          w: (box.w * part.w) / place.w / frame.width,
          h: (box.h * part.h) / place.h / frame.height,
        })
        if (kind && placed) found.push({ class: kind, score, box: placed })
      }
      return suppress(found, MAX_OVERLAP, (a, b) => familyOf(a.class) === familyOf(b.class))
    },
  }
}
