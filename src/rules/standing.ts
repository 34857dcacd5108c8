import type { EpochMs } from '../domain/frame.ts'
import { type Box, type Point, foot } from '../domain/geometry.ts'

/** A vehicle stands while its foot stays within this share of its own size: boxes of standing vehicles jitter. */
const STANDING_SHARE = 0.12
/** Boxes jump for a moment when somebody walks past; only who stays away from its place has moved. */
const MOVED_AFTER_MS = 1_000
/** Of a time out of sight this much counts as standing: nobody knows what happened in a longer one. */
const MAX_UNSEEN_MS = 2_000

/** Tells for how long a vehicle has been standing in one place. */
export interface Standing {
  /** Takes where the vehicle was really seen; frames in which it was not are left out. */
  see(box: Box, at: EpochMs): void
  /** Milliseconds that it has been standing, 0 while it moves. */
  readonly standingMs: number
  /** Where it stands, the mean of its feet. */
  readonly place: Point
}

/** A place, and since when the vehicle has been there. */
interface Stop {
  readonly first: Point
  readonly box: Box
  since: EpochMs
  sum: Point
  count: number
}

export function createStanding(): Standing {
  let stop: Stop | undefined
  /** Where it has been since it left the stop, unless it comes back. */
  let away: { readonly since: EpochMs; next: Stop } | undefined
  let lastAt: EpochMs | undefined

  return {
    see(box, at) {
      const point = foot(box)
      const unseen = lastAt === undefined ? 0 : Math.max(0, at - lastAt - MAX_UNSEEN_MS)
      lastAt = at
      stop ??= begin(point, box, at)
      stop.since += unseen
      if (isAt(stop, point)) {
        away = undefined
        stop.sum = { x: stop.sum.x + point.x, y: stop.sum.y + point.y }
        stop.count++
        return
      }
      const next = away && isAt(away.next, point) ? away.next : begin(point, box, at)
      away = { since: away?.since ?? at, next }
      if (at - away.since < MOVED_AFTER_MS) return
      stop = away.next
      away = undefined
    },
    get standingMs() {
      return stop && !away && lastAt !== undefined ? lastAt - stop.since : 0
    },
    get place() {
      return stop
        ? { x: stop.sum.x / stop.count, y: stop.sum.y / stop.count }
        : { x: Number.NaN, y: Number.NaN }
    },
  }
}

function begin(point: Point, box: Box, at: EpochMs): Stop {
  return { first: point, box, since: at, sum: point, count: 1 }
}

function isAt({ first, box }: Stop, point: Point): boolean {
  return Math.hypot((point.x - first.x) / box.w, (point.y - first.y) / box.h) <= STANDING_SHARE
}
