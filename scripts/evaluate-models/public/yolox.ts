import type { Box } from '../../../src/domain/geometry.ts'

const STRIDES = [8, 16, 32] as const

/** One object in pixels of the network's input. */
export interface GridObject {
  readonly box: Box
  readonly score: number
  /** Index into the class indexes given. */
  readonly choice: number
}

/**
 * Decodes YOLOX's raw grid: rows of x, y, w, h, objectness and one score a class, cell after cell, stride after stride.
 * Centre = (offset + cell) * stride, size = exp(value) * stride, score = objectness * class (Megvii YOLOX,
 * `yolox/models/yolo_head.py`, decode_outputs).
 *
 * @param size pixels of the square input
 * @param columns 5 + the number of classes
 * @param classes which of the network's classes count; the others are not looked at
 */
export function decodeYolox(
  grid: Float32Array,
  size: number,
  columns: number,
  classes: readonly number[],
  minScore: number,
): GridObject[] {
  const found: GridObject[] = []
  let at = 0
  for (const stride of STRIDES) {
    const cells = size / stride
    for (let cell = 0; cell < cells * cells; cell++, at += columns) {
      const objectness = grid[at + 4] ?? 0
      if (objectness < minScore) continue
      let choice = 0
      let best = 0
      for (const [index, networkClass] of classes.entries()) {
        const value = grid[at + 5 + networkClass] ?? 0
        if (value > best) {
          best = value
          choice = index
        }
      }
      const score = Math.min(1, objectness * best)
      if (score < minScore) continue
      const w = Math.exp(grid[at + 2] ?? 0) * stride
      const h = Math.exp(grid[at + 3] ?? 0) * stride
      const x = ((grid[at] ?? 0) + (cell % cells)) * stride - w / 2
      const y = ((grid[at + 1] ?? 0) + Math.floor(cell / cells)) * stride - h / 2
      found.push({ box: { x, y, w, h }, score, choice })
    }
  }
  return found
}
