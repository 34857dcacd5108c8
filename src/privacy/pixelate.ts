import { getRandomValues } from 'node:crypto'

/** Three planes that are drawn on. */
export interface Paint {
  readonly planes: Uint8Array
  readonly width: number
  readonly height: number
}

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
 */
export function pixelate(paint: Paint, edges: PixelEdges): void {
  const { planes, width, height } = paint
  const { left, top, right, bottom } = edges
  if (right <= left || bottom <= top) return
  const cell = Math.ceil(Math.max(right - left, bottom - top) / CELLS)
  const noise = getRandomValues(new Int8Array(CELLS * CELLS))
  for (let plane = 0; plane < 3; plane++) {
    const base = Math.floor(meanOf(paint, edges, plane) / STEP) * STEP + STEP / 2
    let drawn = 0
    for (let y = top; y < bottom; y += cell) {
      for (let x = left; x < right; x += cell) {
        // One value for all three colours: specks of all hues would look like a fault.
        const value = Math.min(255, Math.max(0, base + ((noise[drawn++] ?? 0) * STEP) / 128))
        for (let row = y; row < Math.min(bottom, y + cell); row++) {
          const at = (plane * height + row) * width
          planes.fill(value, at + x, at + Math.min(right, x + cell))
        }
      }
    }
  }
}

function meanOf({ planes, width, height }: Paint, edges: PixelEdges, plane: number): number {
  let sum = 0
  for (let y = edges.top; y < edges.bottom; y++) {
    const row = (plane * height + y) * width
    for (let i = row + edges.left; i < row + edges.right; i++) sum += planes[i] ?? 0
  }
  return sum / ((edges.right - edges.left) * (edges.bottom - edges.top))
}

/**
 * Blurs a region within its edges, over about a cell: for the eye only, it takes nothing more away. Two passes of means along
 * rows and columns.
 */
export function soften({ planes, width, height }: Paint, { left, top, right, bottom }: PixelEdges): void {
  const reach = Math.ceil(Math.max(right - left, bottom - top) / CELLS / 2)
  for (let plane = 0; plane < 3; plane++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let y = top; y < bottom; y++)
        meanAlong(planes, (plane * height + y) * width + left, 1, right - left, reach)
      for (let x = left; x < right; x++)
        meanAlong(planes, (plane * height + top) * width + x, width, bottom - top, reach)
    }
  }
}

/** The running mean of `2 * reach + 1` values along a line; at its ends of those that are there. */
function meanAlong(planes: Uint8Array, start: number, step: number, count: number, reach: number): void {
  const line = Array.from({ length: count }, (_, i) => planes[start + i * step] ?? 0)
  let sum = line.slice(0, reach).reduce((total, value) => total + value, 0)
  let [first, last] = [0, Math.min(count, reach)]
  for (let i = 0; i < count; i++) {
    if (last < count && last <= i + reach) sum += line[last++] ?? 0
    if (first < i - reach) sum -= line[first++] ?? 0
    planes[start + i * step] = Math.round(sum / (last - first))
  }
}
