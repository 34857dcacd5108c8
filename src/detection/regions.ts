import type { Point, PixelBox } from '../domain/geometry.ts'
import type { RawFrame } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { findModel, requireStages, type ModelSource } from '../models/manifest.ts'
import { createPlanes } from './planes.ts'
import type { FoundRegion } from './region.ts'
import { decodeRows, FACE_COLUMNS, PLATE_COLUMNS } from './region-rows.ts'
import { cellsOf, scalePart } from './scaled-part.ts'
import { openSession } from './session.ts'
import { suppressToExtents } from './suppression.ts'

const MAX_OVERLAP = 0.5

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
 * Loads the network of a role.
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openRegionDetector(
  source: ModelSource,
  role: 'regions' | 'regions-fine',
  threads: 1 | 2 = 1,
): Promise<RegionDetector> {
  const entry = findModel(source.manifest, role)
  requireStages(entry, 'scaled-planes', 'region-rows')
  const session = await openSession(entry, source.directory, threads)
  const planes = createPlanes(entry.input)

  return {
    async detect(frame, part, scale, minScores) {
      const scaled = scalePart(frame, part, scale)
      const { width, height, pointInFrame, boxInFrame } = scaled
      const outputs = await session.run([1, 3, height, width], () => planes.draw(frame, part, scaled))
      const find = (
        kind: FoundRegion['kind'],
        rows: Float32Array | undefined,
        columns: 5 | 13,
      ): FoundRegion[] => {
        if (rows?.length !== columns * cellsOf(width, height)) {
          throw new RoadveilError(
            'ERR_DETECTION_FAILED',
            `${role}: the network's rows for each ${kind} are incomplete`,
          )
        }
        return suppressToExtents(decodeRows(rows, columns, minScores[kind]), MAX_OVERLAP).map(
          ({ box, extent, score, corners }) => ({
            ...{ kind, score, box: boxInFrame(box), extent: boxInFrame(extent) },
            ...(corners ? { corners: inFrame(corners, pointInFrame) } : {}),
          }),
        )
      }
      return [
        ...find('plate', outputs['plates'], PLATE_COLUMNS),
        ...find('face', outputs['faces'], FACE_COLUMNS),
      ]
    },
    close: () => session.close(),
  }
}

type Corners = readonly [Point, Point, Point, Point]

function inFrame([a, b, c, d]: Corners, place: (point: Point) => Point): Corners {
  return [place(a), place(b), place(c), place(d)]
}
