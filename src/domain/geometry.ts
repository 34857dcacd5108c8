/**
 * Points, boxes and polygons in 0-1 coordinates of the camera's full picture: x to the right, y down, (0, 0) top left.
 * Pixel coordinates are worked with only inside detection/ and privacy/ and say so in their names.
 */

export interface Point {
  readonly x: number
  readonly y: number
}

/** An axis-parallel box: top left corner, width and height. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

/** A box in pixels of a picture: top left corner, width and height, fractions allowed. */
export interface PixelBox {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

/** At least three corners, in order, not closed. */
export type Polygon = readonly Point[]

/** The middle of a box. */
export function centre(box: Box): Point {
  return { x: box.x + box.w / 2, y: box.y + box.h / 2 }
}

/** Where an object stands on the ground: the middle of its box's lower edge. */
export function foot(box: Box): Point {
  return { x: box.x + box.w / 2, y: box.y + box.h }
}

/** Area of a box. */
export function area(box: Box): number {
  return box.w * box.h
}

/** The common part of two boxes, or undefined where they do not meet. */
export function intersection(a: Box, b: Box): Box | undefined {
  const x = Math.max(a.x, b.x)
  const y = Math.max(a.y, b.y)
  const w = Math.min(a.x + a.w, b.x + b.w) - x
  const h = Math.min(a.y + a.h, b.y + b.h) - y
  return w > 0 && h > 0 ? { x, y, w, h } : undefined
}

/** Intersection over union of two boxes, 0-1. */
export function iou(a: Box, b: Box): number {
  const common = intersection(a, b)
  if (!common) return 0
  return area(common) / (area(a) + area(b) - area(common))
}

/** The smallest box around two. */
export function hull(a: Box, b: Box): Box {
  const x = Math.min(a.x, b.x)
  const y = Math.min(a.y, b.y)
  return { x, y, w: Math.max(a.x + a.w, b.x + b.w) - x, h: Math.max(a.y + a.h, b.y + b.h) - y }
}

/** The share of `inner` that lies in `outer`, 0-1. */
export function coverage(inner: Box, outer: Box): number {
  const common = intersection(inner, outer)
  return common && area(inner) > 0 ? area(common) / area(inner) : 0
}

/** The box grown on every side by `share` of its width and height. */
export function grow(box: Box, share: number): Box {
  return {
    x: box.x - box.w * share,
    y: box.y - box.h * share,
    w: box.w * (1 + 2 * share),
    h: box.h * (1 + 2 * share),
  }
}

/** The part of the box that lies in the picture, or undefined where none does. */
export function clip(box: Box): Box | undefined {
  return intersection(box, { x: 0, y: 0, w: 1, h: 1 })
}

/** The box between two boxes, `share` 0 giving `a` and 1 giving `b`. */
export function interpolate(a: Box, b: Box, share: number): Box {
  const at = (from: number, to: number): number => from + (to - from) * share
  return { x: at(a.x, b.x), y: at(a.y, b.y), w: at(a.w, b.w), h: at(a.h, b.h) }
}

/** True when the point lies inside the polygon (even-odd rule). */
export function contains(polygon: Polygon, point: Point): boolean {
  let inside = false
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const a = polygon[i]
    const b = polygon[j]
    if (!a || !b) continue
    if (a.y > point.y !== b.y > point.y && point.x < ((b.x - a.x) * (point.y - a.y)) / (b.y - a.y) + a.x) {
      inside = !inside
    }
  }
  return inside
}

/** Distance between two points, in the 0-1 units of their picture. */
export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}
