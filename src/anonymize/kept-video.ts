import type { RawFrame } from '../domain/frame.ts'
import { type Box, coverage, iou } from '../domain/geometry.ts'
import type { PathPoint, Track } from '../domain/track.ts'
import { readPlate } from '../plates/read.ts'
import type { Findings } from '../privacy/findings.ts'
import { createTracker } from '../tracking/tracker.ts'
import { MIN_READING, shareOf, vehicleAround } from './kept-still.ts'
import { type KeptVehicle, type Tools, plateText } from './options.ts'
import type { VehicleFollower } from './search-video.ts'

/** Follows one vehicle through a video; `path` grows as it is searched. */
export interface KeptVehiclePath extends VehicleFollower {
  readonly path: readonly PathPoint[]
}

/** A vehicle where the box of the command line is, and not beside it. */
const MIN_SAME_OVERLAP = 0.4
/** A place that is older than this says nothing about where the vehicle is. */
const MAX_PLACE_AGE_MS = 600
/** As sure as this that the plate is another, it is another vehicle. */
const SURE_READING = 0.8
const MAX_MISREAD_LETTERS = 2

/**
 * Finds the vehicle of a box in the first frame that has one there, or of a plate text wherever that is read, and follows it with
 * the tracker of live analysis. Where the vehicle is lost, or the picture cut, its plate is hidden from there on; a plate text may
 * find it again.
 */
export function followKeptVehicle(kept: KeptVehicle, { networks }: Pick<Tools, 'networks'>): KeptVehiclePath {
  let tracker = createTracker({ cameraId: 'file' })
  const path: PathPoint[] = []
  let trackId: string | undefined
  let isOver = false

  async function note(frame: RawFrame, findings: Findings): Promise<void> {
    const { sequence, capturedAt } = frame
    if (findings.afterCut === true) {
      // What is in the same place now is another vehicle, or may be.
      tracker = createTracker({ cameraId: 'file' })
      if (trackId !== undefined) isOver = 'box' in kept
      trackId = undefined
    }
    const arrival = { hostAt: capturedAt, monotonicMs: capturedAt }
    const { tracks } = tracker.step({
      ...{ cameraId: 'file', sequence, capturedAt, arrival, detections: findings.objects },
    })
    const vehicles = tracks.filter((track) => track.class !== 'person' && track.seenAt === capturedAt)
    trackId ??= isOver ? undefined : await find(frame, findings, vehicles)
    if (trackId === undefined) return
    const own = vehicles.find(({ id }) => id === trackId)
    if (own && !(await isAnother(frame, findings, own.box))) {
      path.push({ capturedAt, box: own.box, seen: true })
      return
    }
    // Out of sight for a moment it may come back; ended, or with another's plate, it is not the one any more.
    if (!own && tracks.some(({ id, state }) => id === trackId && state !== 'ended')) return
    trackId = undefined
    isOver = 'box' in kept
  }

  async function find(
    frame: RawFrame,
    findings: Findings,
    vehicles: readonly Track[],
  ): Promise<string | undefined> {
    if ('box' in kept) {
      const place = shareOf(kept.box, frame)
      return [...vehicles]
        .sort((a, b) => iou(b.box, place) - iou(a.box, place))
        .find(({ box }) => iou(box, place) >= MIN_SAME_OVERLAP)?.id
    }
    for (const { box } of findings.plates) {
      const reading = await readPlate(frame, box, networks.plateText)
      if (!reading || reading.confidence < MIN_READING || plateText(reading.text) !== kept.text) continue
      const around = vehicleAround(
        box,
        vehicles.map((vehicle) => vehicle.box),
      )
      return vehicles.find((vehicle) => vehicle.box === around)?.id
    }
    return undefined
  }

  /** True when the only plate on the vehicle is surely read as another than the one that is wanted. */
  async function isAnother(frame: RawFrame, { plates }: Findings, vehicle: Box): Promise<boolean> {
    if ('box' in kept) return false
    for (const { box } of plates) {
      if (coverage(box, vehicle) < 0.9) continue
      const reading = await readPlate(frame, box, networks.plateText)
      if (!reading || reading.confidence < SURE_READING) continue
      if (misreadLetters(plateText(reading.text), kept.text) > MAX_MISREAD_LETTERS) return true
    }
    return false
  }

  return {
    path,
    note,
    expectedAt(capturedAt) {
      const last = path.at(-1)
      return last && capturedAt - last.capturedAt <= MAX_PLACE_AGE_MS ? last.box : undefined
    },
  }
}

/** Letters that differ place by place, and those that one text has more. */
function misreadLetters(a: string, b: string): number {
  const longer = Math.max(a.length, b.length)
  return Array.from({ length: longer }, (_, i) => a[i] !== b[i]).filter(Boolean).length
}
