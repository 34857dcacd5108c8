import { type Point, foot } from '../domain/geometry.ts'
import type { Direction, Zone } from '../domain/rule.ts'
import { judgeTravel } from './travel.ts'
import { CLEAR, type TrackJudge } from './verdict.ts'

/** Moving against a polygon's direction for this share of its length is no manoeuvre any more. */
const WRONG_WAY_SHARE = 1 / 3

/** Judges that a vehicle crosses the zone against its direction: a line at the crossing, a polygon after a third of it. */
export function judgeWrongWay(zone: Zone & { readonly direction: Direction }): TrackJudge {
  if (zone.shape === 'polygon') return judgeTravel(zone, (way) => way <= -WRONG_WAY_SHARE)
  const [a, b] = zone.points
  const against = (from: Point, to: Point): boolean => {
    const { direction } = zone
    const dx = direction.to.x - direction.from.x
    const dy = direction.to.y - direction.from.y
    return (to.x - from.x) * dx + (to.y - from.y) * dy < 0
  }
  let before: Point | undefined
  let judged = false

  return {
    step({ track, at, arrival, isActive }) {
      if (track.state !== 'tracked') return CLEAR
      const place = foot(track.box)
      const crossed = before !== undefined && crosses(before, place, a, b) && against(before, place)
      before = place
      if (!crossed || judged || !isActive) return CLEAR
      judged = true
      return { kind: 'violation', entered: { at, arrival } }
    },
  }
}

/** Whether the way from p to q crosses the line from a to b. */
function crosses(p: Point, q: Point, a: Point, b: Point): boolean {
  return side(a, b, p) * side(a, b, q) < 0 && side(p, q, a) * side(p, q, b) <= 0
}

/** On which side of the line from a to b the point lies, by sign. */
function side(a: Point, b: Point, point: Point): number {
  return (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x)
}
