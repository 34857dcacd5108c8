import type { Point, PixelBox } from '../domain/geometry.ts'
import type { RawFrame } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { findModel, requireStages, type ModelSource } from './manifest.ts'
import type { FoundRegion } from './region.ts'
import { decodeRows, PLATE_COLUMNS, FACE_COLUMNS, type RegionRow } from './region-rows.ts'
import { type Canvas, sample } from './sample.ts'
import { openSession } from './session.ts'
import { suppress } from './suppression.ts'

const MAX_OVERLAP = 0.5
/** The network halves its input five times. */
const GRAIN = 32

/** From which score on something is taken for what it may be, 0-1. */
export interface MinScores {
  readonly plate: number
  readonly face: number
}

/** Finds plates and faces in one pass. */
export interface RegionDetector {
  /**
   * Plates and faces in a part of a frame, looked at in `scale` times its size; what is 8 to 200 pixels high there is found.
   *
   * @throws ERR_DETECTION_FAILED
   */
  detect(frame: RawFrame, part: PixelBox, scale: number, minScores: MinScores): Promise<FoundRegion[]>
  close(): Promise<void>
}

/**
 * Loads the network of the role `regions`.
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openRegionDetector(source: ModelSource, threads: 1 | 2 = 1): Promise<RegionDetector> {
  const entry = findModel(source.manifest, 'regions')
  requireStages(entry, 'scaled-planes', 'region-rows')
  const session = await openSession(entry, source.directories, threads)
  let buffer = new Uint8ClampedArray(0)

  return {
    async detect(frame, part, scale, minScores) {
      const place = {
        x: 0,
        y: 0,
        w: Math.max(1, Math.round(part.w * scale)),
        h: Math.max(1, Math.round(part.h * scale)),
      }
      const width = Math.ceil(place.w / GRAIN) * GRAIN
      const height = Math.ceil(place.h / GRAIN) * GRAIN
      const outputs = await session.run([1, 3, height, width], () => {
        const length = 3 * width * height
        if (buffer.length < length) buffer = new Uint8ClampedArray(length)
        const canvas: Canvas<Uint8ClampedArray> = {
          ...{ values: buffer.subarray(0, length), width, height },
          ...{
            colour: entry.input.colour,
            maximum: entry.input.maximum,
            fill: entry.input.letterbox?.fill ?? 0,
          },
        }
        sample(frame, part, place, canvas)
        return new Uint8Array(buffer.buffer, 0, length)
      })
      const { plates, faces } = outputs
      if (!plates || !faces)
        throw new RoadveilError('ERR_DETECTION_FAILED', 'regions: the network gave no rows')
      const [acrossPixel, downPixel] = [part.w / place.w, part.h / place.h]
      const point = ({ x, y }: Point): Point => ({
        x: (part.x + x * acrossPixel) / frame.width,
        y: (part.y + y * downPixel) / frame.height,
      })
      const region = (kind: 'plate' | 'face', { box, score, corners }: RegionRow): FoundRegion => ({
        kind,
        score,
        box: { ...point(box), w: (box.w * acrossPixel) / frame.width, h: (box.h * downPixel) / frame.height },
        ...(corners
          ? { corners: [point(corners[0]), point(corners[1]), point(corners[2]), point(corners[3])] }
          : {}),
      })
      return [
        ...suppress(decodeRows(plates, PLATE_COLUMNS, minScores.plate), MAX_OVERLAP).map((row) =>
          region('plate', row),
        ),
        ...suppress(decodeRows(faces, FACE_COLUMNS, minScores.face), MAX_OVERLAP).map((row) =>
          region('face', row),
        ),
      ]
    },
    close: () => session.close(),
  }
}
