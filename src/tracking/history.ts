import type { EpochMs } from '../domain/frame.ts'
import { iou } from '../domain/geometry.ts'
import type { PathPoint, TrackedFrame } from '../domain/track.ts'

/** Where the tracks of one camera have been. */
export interface TrackHistory {
  record(frame: TrackedFrame): void
  /** The way of a track between two times, both included; empty for one that is not known (any more). */
  path(trackId: string, from: EpochMs, to: EpochMs): PathPoint[]
}

/** Tracks that ended are remembered this long: their evidence may still be in the making. */
const REMEMBER_MS = 60_000

/** A standing vehicle's path needs only one point in this time. */
const STANDING_STEP_MS = 1_000
const STANDING_OVERLAP = 0.97

/** Longer paths are thinned out where they are oldest. */
const MAX_POINTS = 4_000

export function createTrackHistory(): TrackHistory {
  const paths = new Map<string, { points: PathPoint[]; endedAt?: EpochMs }>()

  return {
    record({ capturedAt, tracks }) {
      for (const { id, box, state } of tracks) {
        const entry = paths.get(id) ?? { points: [] }
        paths.set(id, entry)
        if (state === 'ended') entry.endedAt = capturedAt
        else add(entry.points, { capturedAt, box, seen: state !== 'lost' })
      }
      for (const [id, { endedAt, points }] of paths) {
        // A tentative track that came to nothing ends without a word.
        const last = endedAt ?? points.at(-1)?.capturedAt ?? capturedAt
        if (Math.abs(capturedAt - last) > REMEMBER_MS) paths.delete(id)
      }
    },
    path(trackId, from, to) {
      return (paths.get(trackId)?.points ?? []).filter(
        ({ capturedAt }) => capturedAt >= from && capturedAt <= to,
      )
    },
  }
}

function add(points: PathPoint[], point: PathPoint): void {
  const last = points.at(-1)
  const previous = points.at(-2)
  const stands =
    last &&
    previous &&
    last.seen === point.seen &&
    point.capturedAt - previous.capturedAt < STANDING_STEP_MS &&
    iou(previous.box, point.box) > STANDING_OVERLAP
  if (stands) points[points.length - 1] = point
  else points.push(point)
  if (points.length > MAX_POINTS) {
    const half = points.splice(0, MAX_POINTS / 2).filter((_, index) => index % 2 === 0)
    points.unshift(...half)
  }
}
