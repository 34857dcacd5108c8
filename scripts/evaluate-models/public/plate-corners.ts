import type { Point } from '../../../src/domain/geometry.ts'
import type { Proposal } from '../../../src/detection/suppression.ts'

const COLUMNS = 15

/** A plate in pixels of the network's input. */
export interface PlateProposal extends Proposal {
  readonly corners: readonly [Point, Point, Point, Point]
}

/**
 * Decodes the rows of the YOLOv5-face kind of plate network: centre x, centre y, w, h, objectness, four corners, two class
 * scores (one line, two lines), all in input pixels, sigmoids applied. Score = objectness * the better class.
 */
export function decodePlates(rows: Float32Array, minScore: number): PlateProposal[] {
  const found: PlateProposal[] = []
  for (let at = 0; at + COLUMNS <= rows.length; at += COLUMNS) {
    const objectness = rows[at + 4] ?? 0
    if (objectness < minScore) continue
    const score = Math.min(1, objectness * Math.max(rows[at + 13] ?? 0, rows[at + 14] ?? 0))
    if (score < minScore) continue
    const value = (column: number): number => rows[at + column] ?? 0
    const corner = (column: number): Point => ({ x: value(column), y: value(column + 1) })
    const [w, h] = [value(2), value(3)]
    found.push({
      box: { x: value(0) - w / 2, y: value(1) - h / 2, w, h },
      score,
      corners: [corner(5), corner(7), corner(9), corner(11)],
    })
  }
  return found
}
