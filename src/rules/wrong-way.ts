import { type Box, type Point, foot } from '../domain/geometry.ts'
import type { Direction, Zone } from '../domain/rule.ts'
import { judgeTravel } from './travel.ts'
import { CLEAR, type TrackJudge } from './verdict.ts'

/** Moving against a polygon's direction for this share of its length is no manoeuvre any more. */
const WRONG_WAY_SHARE = 1 / 3
/** A vehicle is on one side of a line when its foot is this share of its size away: one that stops on the line jitters. */
const SIDE_SHARE = 0.15

/** Judges that a vehicle crosses the zone against its direction: a line at the crossing, a polygon after a third of it. */
export function judgeWrongWay(zone: Zone & { readonly direction: Direction }): TrackJudge {
  if (zone.shape === 'polygon') return judgeTravel(zone, (way) => way <= -WRONG_WAY_SHARE)
  const [a, b] = zone.points
  const normal = normalOf(a, b, zone.direction)
  /** Where it was last beyond the line, in the sense of the direction. */
  let beyond: Point | undefined
  let judged = false

  return {
    step({ track, at, arrival, isActive }) {
      if (track.state !== 'tracked') return CLEAR
      const place = foot(track.box)
      const distance = distanceInSizes(place, a, normal, track.box)
      if (distance > SIDE_SHARE) beyond = place
      if (distance >= -SIDE_SHARE || !beyond) return CLEAR
      const crossed = crosses(beyond, place, a, b)
      beyond = undefined
      if (!crossed || judged || !isActive) return CLEAR
      judged = true
      return { kind: 'violation', entered: { at, arrival } }
    },
  }
}

/** The vector at right angles to the line that points where traffic may go; nothing where it may only go along it. */
function normalOf(a: Point, b: Point, { from, to }: Direction): Point {
  const normal = { x: b.y - a.y, y: a.x - b.x }
  const sense = Math.sign(normal.x * (to.x - from.x) + normal.y * (to.y - from.y))
  const length = Math.hypot(normal.x, normal.y)
  return { x: (sense * normal.x) / length, y: (sense * normal.y) / length }
}

/** How far a point lies beyond the line through `a`, in sizes that the box has in that direction. */
function distanceInSizes(point: Point, a: Point, normal: Point, box: Box): number {
  const size = Math.abs(normal.x) * box.w + Math.abs(normal.y) * box.h
  return size > 0 ? ((point.x - a.x) * normal.x + (point.y - a.y) * normal.y) / size : 0
}

/** Whether the way from p to q crosses the line from a to b. */
function crosses(p: Point, q: Point, a: Point, b: Point): boolean {
  return side(a, b, p) * side(a, b, q) < 0 && side(p, q, a) * side(p, q, b) <= 0
}

/** On which side of the line from a to b the point lies, by sign. */
function side(a: Point, b: Point, point: Point): number {
  return (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x)
}
