import { familyOf, type Detection, type ObjectClass } from '../domain/detection.ts'
import type { AnalysisFrame, RawFrame } from '../domain/frame.ts'
import { clip, type Box, type PixelBox } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import { findModel, requireStages, type ModelSource } from '../models/manifest.ts'
import { createPlanes } from './planes.ts'
import { GRAIN, cellsOf, scalePart } from './scaled-part.ts'
import { openSession } from './session.ts'
import { suppress } from './suppression.ts'

/** Low, because the tracker follows a vehicle through frames in which it is hardly seen. */
const MIN_SCORE = 0.1
const MAX_OVERLAP = 0.5
/** What the network finds, in the order of its scores. */
const CLASSES: readonly ObjectClass[] = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck']
/** Values in a row: centre x and y, width, height, and a score for each class. */
const COLUMNS = 4 + CLASSES.length
/** 544x306 of a picture of 16:9: what 416x416 costs, without most of the grey that a square has around such a picture. */
const ANALYSIS_PIXELS = 166_500

/** Finds vehicles and persons. */
export interface ObjectDetector {
  /** About how many pixels an analysis frame should have. */
  readonly analysisPixels: number
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
  requireStages(entry, 'scaled-planes', 'object-rows')
  if (entry.classes.join() !== CLASSES.join()) {
    throw new RoadveilError('ERR_MODEL_MANIFEST', `${entry.file} does not find ${CLASSES.join(', ')}`)
  }
  const session = await openSession(entry, source.directory, threads)
  const planes = createPlanes(entry.input)

  const look = async (
    width: number,
    height: number,
    prepare: () => Uint8Array,
    place: (box: PixelBox) => Box,
  ): Promise<Detection[]> => {
    const { objects } = await session.run([1, 3, height, width], prepare)
    if (objects?.length !== COLUMNS * cellsOf(width, height)) {
      throw new RoadveilError('ERR_DETECTION_FAILED', "objects: the network's rows are incomplete")
    }
    // One vehicle is often found as a car and as a truck at once: families compete, not classes.
    return suppress(decode(objects, place), MAX_OVERLAP, (a, b) => familyOf(a.class) === familyOf(b.class))
  }

  return {
    analysisPixels: ANALYSIS_PIXELS,
    async detect({ planes: pixels, width, height, contentWidth, contentHeight }) {
      if (width % GRAIN !== 0 || height % GRAIN !== 0) {
        throw new RoadveilError('ERR_DETECTION_FAILED', `an analysis frame has ${width}x${height} pixels`)
      }
      return look(
        width,
        height,
        () => pixels,
        ({ x, y, w, h }) => ({
          ...{ x: x / contentWidth, y: y / contentHeight },
          ...{ w: w / contentWidth, h: h / contentHeight },
        }),
      )
    },
    async detectIn(frame, part) {
      const scale = Math.sqrt(ANALYSIS_PIXELS / (part.w * part.h))
      const scaled = scalePart(frame, part, scale)
      return look(scaled.width, scaled.height, () => planes.draw(frame, part, scaled), scaled.boxInFrame)
    },
    close: () => session.close(),
  }
}

/** The network's rows from a score on, as what is surest in each; the network itself decodes them to pixels. */
function decode(rows: Float32Array, place: (box: PixelBox) => Box): Detection[] {
  const found: Detection[] = []
  for (let at = 0; at < rows.length; at += COLUMNS) {
    let score = MIN_SCORE
    let kind: ObjectClass | undefined
    for (const [index, name] of CLASSES.entries()) {
      const value = rows[at + 4 + index] ?? 0
      if (value < score) continue
      score = value
      kind = name
    }
    if (!kind) continue
    const [x, y, w, h] = [rows[at] ?? 0, rows[at + 1] ?? 0, rows[at + 2] ?? 0, rows[at + 3] ?? 0]
    const box = clip(place({ x: x - w / 2, y: y - h / 2, w, h }))
    if (box) found.push({ class: kind, score: Math.min(1, score), box })
  }
  return found
}
