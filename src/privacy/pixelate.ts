import { getRandomValues } from 'node:crypto'
import type { Plane } from './planes.ts'

/** Whole pixels, the last ones not included. */
export interface PixelEdges {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** Cells across the longer side of a region. */
const CELLS = 6
/** The mean colour is rounded to this, and cells differ from it by up to as much. */
const STEP = 32

/**
 * Replaces a region by a mosaic that looks like coarse pixels and is none: every cell has the region's mean colour, rounded to
 * eight levels, and noise of its own from the system's generator, new in every call. Means of the cells' own pixels would give a
 * plate's or a face's layout back to whoever averages frames; of this, all frames together give one colour.
 *
 * @param edges in pixels of the picture, multiples of every plane's step
 */
export function pixelate(planes: readonly Plane[], edges: PixelEdges): void {
  const { left, top, right, bottom } = edges
  if (right <= left || bottom <= top) return
  const cell = Math.ceil(Math.max(right - left, bottom - top) / CELLS)
  const noise = getRandomValues(new Int8Array(CELLS * CELLS))
  for (const plane of planes) {
    const mean = meanOf(plane, edgesIn(plane, edges))
    if (!plane.isLight) {
      // A grey stays a grey, and no cell has another colour: specks of all hues would look like a fault.
      fill(plane, edges, Math.min(255, Math.round(mean / STEP) * STEP))
      continue
    }
    const base = Math.floor(mean / STEP) * STEP + STEP / 2
    let drawn = 0
    for (let y = top; y < bottom; y += cell) {
      for (let x = left; x < right; x += cell) {
        // One value for all planes, for the same reason.
        const value = Math.min(255, Math.max(0, base + ((noise[drawn++] ?? 0) * STEP) / 128))
        const place = {
          left: x,
          top: y,
          right: Math.min(right, x + cell),
          bottom: Math.min(bottom, y + cell),
        }
        fill(plane, place, value)
      }
    }
  }
}

/** Gives all values of a region, in pixels of the picture, one value. */
export function fill(plane: Plane, edges: PixelEdges, value: number): void {
  const { left, top, right, bottom } = edgesIn(plane, edges)
  for (let y = top; y < bottom; y++) plane.values.fill(value, y * plane.width + left, y * plane.width + right)
}

/** The values of a plane that a region touches. */
function edgesIn({ step }: Plane, { left, top, right, bottom }: PixelEdges): PixelEdges {
  return {
    ...{ left: Math.floor(left / step), top: Math.floor(top / step) },
    ...{ right: Math.ceil(right / step), bottom: Math.ceil(bottom / step) },
  }
}

function meanOf({ values, width }: Plane, { left, top, right, bottom }: PixelEdges): number {
  let sum = 0
  for (let y = top; y < bottom; y++) {
    for (let i = y * width + left; i < y * width + right; i++) sum += values[i] ?? 0
  }
  return sum / ((right - left) * (bottom - top))
}

/**
 * Blurs a region within its edges, over about a cell: for the eye only, it takes nothing more away. Two passes of means along
 * rows and columns.
 */
export function soften(planes: readonly Plane[], edges: PixelEdges): void {
  for (const plane of planes) {
    const { values, width } = plane
    const { left, top, right, bottom } = edgesIn(plane, edges)
    const reach = Math.ceil(Math.max(right - left, bottom - top) / CELLS / 2)
    for (let pass = 0; pass < 2; pass++) {
      for (let y = top; y < bottom; y++) meanAlong(values, y * width + left, 1, right - left, reach)
      for (let x = left; x < right; x++) meanAlong(values, top * width + x, width, bottom - top, reach)
    }
  }
}

/** The running mean of `2 * reach + 1` values along a line; at its ends of those that are there. */
function meanAlong(values: Uint8Array, start: number, step: number, count: number, reach: number): void {
  const line = Array.from({ length: count }, (_, i) => values[start + i * step] ?? 0)
  let sum = line.slice(0, reach).reduce((total, value) => total + value, 0)
  let [first, last] = [0, Math.min(count, reach)]
  for (let i = 0; i < count; i++) {
    if (last < count && last <= i + reach) sum += line[last++] ?? 0
    if (first < i - reach) sum -= line[first++] ?? 0
    values[start + i * step] = Math.round(sum / (last - first))
  }
}
