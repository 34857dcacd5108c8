import type { ReservedLaneRule, Zone } from '../domain/rule.ts'
import { judgeTravel } from './travel.ts'
import type { TrackJudge } from './verdict.ts'

/** Judges that a vehicle travels along the zone, in either sense, for more than the rule's share of its length. */
export function judgeReservedLane(rule: ReservedLaneRule, zone: Zone): TrackJudge {
  return judgeTravel(zone, (way) => Math.abs(way) >= rule.minTravelShare)
}
