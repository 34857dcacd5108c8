import { type Point, type Polygon, contains, foot } from '../domain/geometry.ts'
import type { Box } from '../domain/geometry.ts'
import type { NoStoppingRule } from '../domain/rule.ts'
import { CLEAR, LEAVE_MS, type Moment, type TrackJudge } from './verdict.ts'

/** A vehicle stands while its foot stays within this share of its own size: boxes of standing vehicles jitter. */
const STANDING_SHARE = 0.12

/**
 * Judges that a vehicle stands in the zone for longer than the limit, once a stay.
 *
 * Only time in which the rule holds counts, and only time standing: a queue that creeps on is not parked.
 */
export function judgeNoStopping(rule: NoStoppingRule, zone: Polygon): TrackJudge {
  let entered: Moment | undefined
  let lastInside = 0
  let judged = false
  let anchor: { readonly foot: Point; readonly box: Box; readonly since: number } | undefined

  return {
    step({ track, at, arrival, isActive }) {
      const place = foot(track.box)
      if (contains(zone, place)) {
        lastInside = at
        entered ??= { at, arrival }
      } else if (entered && at - lastInside > LEAVE_MS) {
        entered = anchor = undefined
        judged = false
      }
      if (!entered || !isActive) {
        anchor = undefined
        return CLEAR
      }
      if (!anchor || hasMoved(anchor, place)) anchor = { foot: place, box: track.box, since: at }
      if (judged) return CLEAR
      if (at - anchor.since < rule.limitMs || track.state !== 'tracked') return { kind: 'stay', entered }
      judged = true
      return { kind: 'violation', entered }
    },
  }
}

function hasMoved(anchor: { readonly foot: Point; readonly box: Box }, place: Point): boolean {
  const dx = (place.x - anchor.foot.x) / anchor.box.w
  const dy = (place.y - anchor.foot.y) / anchor.box.h
  return Math.hypot(dx, dy) > STANDING_SHARE
}
