import { type Polygon, contains, foot } from '../domain/geometry.ts'
import type { Zone } from '../domain/rule.ts'
import { axisOf } from './axis.ts'
import { CLEAR, LEAVE_MS, type Moment, type TrackJudge } from './verdict.ts'

/**
 * Judges a vehicle's way through a polygon along the zone's axis, once a stay.
 *
 * @param isForbidden says whether a way, in shares of the zone's length and signed by the axis, breaks the rule
 */
export function judgeTravel(
  zone: Zone & { readonly points: Polygon },
  isForbidden: (way: number) => boolean,
): TrackJudge {
  const axis = axisOf(zone)
  let entered: Moment | undefined
  let start = 0
  let lastInside = 0
  let judged = false

  return {
    step({ track, at, arrival, isActive }) {
      const place = foot(track.box)
      const isInside = contains(zone.points, place)
      if (isInside) lastInside = at
      else if (entered && at - lastInside > LEAVE_MS) {
        entered = undefined
        judged = false
      }
      if (!isActive) {
        // Only the way within the schedule counts.
        entered = undefined
        return CLEAR
      }
      if (isInside && !entered) {
        entered = { at, arrival }
        start = axis.along(place)
      }
      if (!entered || judged) return CLEAR
      // A lost track's place is a guess, and guesses break no rule.
      if (!isInside || track.state !== 'tracked' || !isForbidden(axis.along(place) - start))
        return { kind: 'stay', entered }
      judged = true
      return { kind: 'violation', entered }
    },
  }
}
