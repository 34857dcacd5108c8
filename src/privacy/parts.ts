import type { Detection } from '../domain/detection.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, type PixelBox, clip, grow, iou } from '../domain/geometry.ts'

/** The whole picture is looked at in these widths; parts of it are looked at closer. */
export const OVERVIEW_WIDTH = 960
export const FULL_WIDTH = 1920
/** A person's upper part is brought to about this many pixels, and the offender's vehicle to that many. */
const PERSON_LOOK_PIXELS = 192
const VEHICLE_LOOK_PIXELS = 512
const MAX_ENLARGEMENT = 3
/** Of tiles, so that what lies on the edge of one is whole in the next. */
const TILE_OVERLAP = 0.1

/** A part of a frame, to be looked at in `scale` times its size. */
export interface Look {
  readonly part: PixelBox
  readonly scale: number
}

/** Small pictures are looked at in up to twice their size, and of very large ones no more than a network can take. */
export function fullLook(frame: RawFrame): Look {
  const longer = Math.max(frame.width, frame.height)
  const scale =
    longer < OVERVIEW_WIDTH ? Math.min(2, OVERVIEW_WIDTH / longer) : Math.min(1, FULL_WIDTH / longer)
  return { part: whole(frame), scale }
}

/** Twice the size of the full look, in overlapping tiles that a network can take. */
export function doubleLooks(frame: RawFrame): Look[] {
  const scale = 2 * fullLook(frame).scale
  const columns = spans(frame.width, FULL_WIDTH / scale)
  const rows = spans(frame.height, FULL_WIDTH / scale)
  return rows.flatMap((row) =>
    columns.map((column) => ({ part: { x: column.at, y: row.at, w: column.size, h: row.size }, scale })),
  )
}

/** Divides a side into the fewest equal spans of at most `most` pixels that overlap by `TILE_OVERLAP` of themselves. */
function spans(side: number, most: number): { readonly at: number; readonly size: number }[] {
  if (side <= most) return [{ at: 0, size: side }]
  const count = Math.ceil((side - TILE_OVERLAP * most) / (most * (1 - TILE_OVERLAP)))
  const size = Math.min(side, Math.floor(most))
  return Array.from({ length: count }, (_, i) => ({
    at: Math.floor(((side - size) * i) / (count - 1)),
    size,
  }))
}

/** Every person's upper part, and the offender's vehicle or all. */
export function closerLooks(
  frame: RawFrame,
  objects: readonly Detection[],
  vehicles: 'all' | Box | undefined,
): Look[] {
  const looks = objects.flatMap(({ box, class: kind }) => {
    if (kind === 'person') {
      // Of who is close the picture shows little more than a head, in a box as wide as high.
      const h = Math.min(box.h, Math.max(0.5 * box.h, (box.w * frame.width) / frame.height))
      return [{ part: pixels(frame, grow({ ...box, h }, 0.1)), size: PERSON_LOOK_PIXELS }]
    }
    if (vehicles !== 'all' && (!vehicles || iou(box, vehicles) <= 0.3)) return []
    return [{ part: pixels(frame, grow(box, 0.1)), size: VEHICLE_LOOK_PIXELS }]
  })
  return looks
    .filter(({ part }) => part.w >= 8 && part.h >= 8)
    .map(({ part, size }) => ({ part, scale: Math.min(MAX_ENLARGEMENT, size / Math.max(part.w, part.h)) }))
}

/** All of a picture. */
export function whole({ width, height }: RawFrame): PixelBox {
  return { x: 0, y: 0, w: width, h: height }
}

/** The pixels that a box touches, inside the picture. */
export function pixels(frame: RawFrame, box: Box): PixelBox {
  const inside = clip(box) ?? { x: 0, y: 0, w: 0, h: 0 }
  const x = Math.floor(inside.x * frame.width)
  const y = Math.floor(inside.y * frame.height)
  return {
    x,
    y,
    w: Math.min(frame.width, Math.ceil((inside.x + inside.w) * frame.width)) - x,
    h: Math.min(frame.height, Math.ceil((inside.y + inside.h) * frame.height)) - y,
  }
}
