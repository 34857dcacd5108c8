import { type Polygon, contains, foot } from '../domain/geometry.ts'
import type { NoStoppingRule } from '../domain/rule.ts'
import { type Standing, createStanding } from './standing.ts'
import { CLEAR, LEAVE_MS, type Moment, type TrackJudge } from './verdict.ts'

/**
 * Judges that a vehicle stands in the zone for longer than the limit without a break, once a stay.
 *
 * Only time in which the rule holds counts: a vehicle that was there before enters when the rule begins to hold. A queue
 * that creeps on is not parked.
 */
export function judgeNoStopping(rule: NoStoppingRule, zone: Polygon): TrackJudge {
  let entered: Moment | undefined
  let standing: Standing | undefined
  let lastInside = 0
  let judged = false

  return {
    step({ track, at, arrival, isActive }) {
      const isInside = contains(zone, foot(track.box))
      if (isInside) lastInside = at
      else if (at - lastInside > LEAVE_MS) {
        entered = standing = undefined
        judged = false
      }
      if (!isActive) {
        entered = standing = undefined
        return CLEAR
      }
      if (isInside) entered ??= { at, arrival }
      if (!entered) return CLEAR
      standing ??= createStanding()
      const isSeen = track.state === 'tracked'
      if (isSeen) standing.see(track.box, at)
      if (judged) return CLEAR
      if (!isSeen || standing.standingMs < rule.limitMs || !contains(zone, standing.place))
        return { kind: 'stay', entered }
      judged = true
      return { kind: 'violation', entered }
    },
  }
}
