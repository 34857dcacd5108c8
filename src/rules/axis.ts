import type { Point } from '../domain/geometry.ts'
import type { Zone } from '../domain/rule.ts'

/** A direction in the picture and how far a zone reaches along it. */
export interface Axis {
  /** How far along the axis a point lies; the zone reaches from 0 to 1. */
  along(point: Point): number
}

/** The zone's way: its direction, or else the line between its two corners that are furthest apart. */
export function axisOf({ points, direction }: Zone): Axis {
  const { from, to } = direction ?? longest(points)
  const length = Math.hypot(to.x - from.x, to.y - from.y)
  const project = ({ x, y }: Point): number =>
    ((x - from.x) * (to.x - from.x) + (y - from.y) * (to.y - from.y)) / length
  const reaches = points.map(project)
  const start = Math.min(...reaches)
  const extent = Math.max(...reaches) - start
  return { along: (point) => (extent > 0 ? (project(point) - start) / extent : 0) }
}

function longest(points: readonly Point[]): { readonly from: Point; readonly to: Point } {
  let best: { from: Point; to: Point; length: number } | undefined
  for (const from of points) {
    for (const to of points) {
      const length = Math.hypot(to.x - from.x, to.y - from.y)
      if (length > (best?.length ?? 0)) best = { from, to, length }
    }
  }
  if (!best) throw new RangeError('a zone needs two different points')
  return best
}
