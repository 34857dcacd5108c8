import type { RawFrame } from '../../../src/domain/frame.ts'
import type { PixelBox, Point } from '../../../src/domain/geometry.ts'
import { RoadveilError } from '../../../src/errors.ts'
import { findModel, requireStages, type ModelSource } from '../../../src/models/manifest.ts'
import { decodePlates } from './plate-corners.ts'
import type { FoundRegion } from '../../../src/detection/region.ts'
import { fit, sample, squareCanvas } from '../../../src/detection/sample.ts'
import { openSession } from '../../../src/detection/session.ts'
import { suppress } from '../../../src/detection/suppression.ts'

const MAX_OVERLAP = 0.5

/** Finds licence plates. */
export interface PlateDetector {
  /** Pixels of its square input. */
  readonly size: number
  /**
   * Plates in a part of a frame, which is scaled to fit the input.
   *
   * @throws ERR_DETECTION_FAILED
   */
  detect(frame: RawFrame, part: PixelBox, minScore: number): Promise<FoundRegion[]>
  close(): Promise<void>
}

/**
 * Loads the network of the role given: `plates` (640 pixels) or the four times faster `plates-small` (320 pixels).
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openPlateDetector(
  source: ModelSource,
  role: 'plates' | 'plates-small' = 'plates',
): Promise<PlateDetector> {
  const entry = findModel(source.manifest, role)
  requireStages(entry, 'letterboxed-planes', 'yolov5-corners')
  const size = role === 'plates' ? 640 : 320
  const session = await openSession(entry, source.directory)
  const canvas = squareCanvas(size, entry.input)

  return {
    size,
    async detect(frame, part, minScore) {
      const place = fit(part, size, size, 'centre')
      const { output } = await session.run([1, 3, size, size], () => {
        sample(frame, part, place, canvas)
        return canvas.values
      })
      if (!output) throw new RoadveilError('ERR_DETECTION_FAILED', `${role}: the network gave no rows`)
      const [acrossPixel, downPixel] = [part.w / place.w, part.h / place.h]
      const point = ({ x, y }: Point): Point => ({
        x: (part.x + (x - place.x) * acrossPixel) / frame.width,
        y: (part.y + (y - place.y) * downPixel) / frame.height,
      })
      return suppress(decodePlates(output, minScore), MAX_OVERLAP).map(
        ({ box: { x, y, w, h }, score, corners: [a, b, c, d] }) => {
          const box = {
            ...point({ x, y }),
            w: (w * acrossPixel) / frame.width,
            h: (h * downPixel) / frame.height,
          }
          const corners = [point(a), point(b), point(c), point(d)] as const
          return { kind: 'plate' as const, score, box, extent: box, corners }
        },
      )
    },
    close: () => session.close(),
  }
}
