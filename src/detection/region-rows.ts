import type { PixelBox, Point } from '../domain/geometry.ts'

/** One plate or face, in pixels of the network's input. */
export interface RegionRow {
  readonly box: PixelBox
  /** 0-1. */
  readonly score: number
  /** Of a plate: top left, top right, bottom right, bottom left as it is read. */
  readonly corners?: readonly [Point, Point, Point, Point]
}

/** Values in a row: score, centre x and y, width, height; for plates four corners besides. */
export const PLATE_COLUMNS = 13
export const FACE_COLUMNS = 5

/**
 * The rows of our own network from a score on; the network itself decodes them to pixels.
 *
 * @param rows `columns` values each
 */
export function decodeRows(rows: Float32Array, columns: 5 | 13, minScore: number): RegionRow[] {
  const found: RegionRow[] = []
  for (let at = 0; at + columns <= rows.length; at += columns) {
    const score = rows[at] ?? 0
    if (score < minScore) continue
    const value = (column: number): number => rows[at + column] ?? 0
    const [w, h] = [value(3), value(4)]
    const box = { x: value(1) - w / 2, y: value(2) - h / 2, w, h }
    const corner = (index: number): Point => ({ x: value(5 + 2 * index), y: value(6 + 2 * index) })
    found.push(
      columns === PLATE_COLUMNS
        ? { box, score, corners: [corner(0), corner(1), corner(2), corner(3)] }
        : { box, score },
    )
  }
  return found
}
