import { familyOf, type Detection, type ObjectClass } from '../domain/detection.ts'
import type { AnalysisFrame, RawFrame } from '../domain/frame.ts'
import { clip, type PixelBox } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import { findModel, requireStages, type ModelSource } from './manifest.ts'
import { fit, sample, squareCanvas } from './sample.ts'
import { openSession } from './session.ts'
import { suppress } from './suppression.ts'
import { decodeYolox, type GridObject } from './yolox.ts'

/** Low, because the tracker follows a vehicle through frames in which it is hardly seen. */
const MIN_SCORE = 0.1
const MAX_OVERLAP = 0.5
/** What the network calls our classes. */
const NETWORK_NAMES: readonly (readonly [string, ObjectClass])[] = [
  ['person', 'person'],
  ['bicycle', 'bicycle'],
  ['car', 'car'],
  ['motorcycle', 'motorcycle'],
  ['bus', 'bus'],
  ['truck', 'truck'],
]

/** Finds vehicles and persons. */
export interface ObjectDetector {
  /** Pixels of the square analysis frame that it takes. */
  readonly size: number
  /**
   * Everything from score 0.1 on, in 0-1 of the full picture, clipped to it.
   *
   * @throws ERR_DETECTION_FAILED
   */
  detect(frame: AnalysisFrame): Promise<Detection[]>
  /**
   * The same for a part of a full-size frame, which makes small objects large enough to be found.
   *
   * @throws ERR_DETECTION_FAILED
   */
  detectIn(frame: RawFrame, part: PixelBox): Promise<Detection[]>
  close(): Promise<void>
}

/**
 * Loads the network of the role `objects`.
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openObjectDetector(source: ModelSource, threads: 1 | 2 = 1): Promise<ObjectDetector> {
  const entry = findModel(source.manifest, 'objects')
  requireStages(entry, 'letterboxed-planes', 'yolox-grid')
  const shape = [1, 3, 416, 416] as const
  const size = shape[2]
  const classes = NETWORK_NAMES.map(([name]) => entry.classes.indexOf(name))
  if (classes.includes(-1)) {
    throw new RoadveilError(
      'ERR_MODEL_MANIFEST',
      `${entry.file} lacks one of the classes person, bicycle, car, …`,
    )
  }
  const session = await openSession(entry, source.directories, threads)
  const canvas = squareCanvas(size, entry.input)

  const look = async (prepare: () => void): Promise<GridObject[]> => {
    const { output } = await session.run(shape, () => {
      prepare()
      return canvas.values
    })
    if (!output) throw new RoadveilError('ERR_DETECTION_FAILED', 'objects: the network gave no grid')
    return decodeYolox(output, size, 5 + entry.classes.length, classes, MIN_SCORE)
  }

  return {
    size,
    async detect(frame) {
      if (frame.width !== size || frame.height !== size) {
        throw new RoadveilError(
          'ERR_DETECTION_FAILED',
          `an analysis frame has ${frame.width}x${frame.height} pixels`,
        )
      }
      const objects = await look(() => copyPlanes(frame.planes, canvas.values))
      return toDetections(objects, (box) => ({
        x: box.x / frame.contentWidth,
        y: box.y / frame.contentHeight,
        w: box.w / frame.contentWidth,
        h: box.h / frame.contentHeight,
      }))
    },
    async detectIn(frame, part) {
      const place = fit(part, size, size, 'top-left')
      const objects = await look(() => sample(frame, part, place, canvas))
      return toDetections(objects, (box) => ({
        x: (part.x + (box.x * part.w) / place.w) / frame.width,
        y: (part.y + (box.y * part.h) / place.h) / frame.height,
        w: (box.w * part.w) / place.w / frame.width,
        h: (box.h * part.h) / place.h / frame.height,
      }))
    },
    close: () => session.close(),
  }
}

/** G, B, R planes to the B, G, R floats that the network wants. */
function copyPlanes(planes: Uint8Array, values: Float32Array): void {
  const size = planes.length / 3
  values.set(planes.subarray(size, 2 * size), 0)
  values.set(planes.subarray(0, size), size)
  values.set(planes.subarray(2 * size), 2 * size)
}

function toDetections(objects: readonly GridObject[], place: (box: PixelBox) => PixelBox): Detection[] {
  const detections: Detection[] = []
  for (const object of objects) {
    const named = NETWORK_NAMES[object.choice]
    const box = clip(place(object.box))
    if (named && box) detections.push({ class: named[1], score: object.score, box })
  }
  // One vehicle is often found as a car and as a truck at once: families compete, not classes.
  return suppress(detections, MAX_OVERLAP, (a, b) => familyOf(a.class) === familyOf(b.class))
}
