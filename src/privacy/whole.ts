import type { Box } from '../domain/geometry.ts'
import { type Chain, boxAt } from './chain.ts'

/** A box that ends this close to the edge of the picture may go on beyond it, in 0-1 of the picture. */
const EDGE = 0.02

/**
 * Where a chain's thing is in a frame, beyond the edges of the picture, too: of what comes in or goes out a network boxes only what is
 * left, and a place on it, say a third from its top, would be somewhere else on that. What is cut off is as it is in the nearest frame
 * that shows it, as large as the rest has become. Undefined where nothing is known.
 */
export function wholeBoxAt<T>(chain: Chain<T>, index: number, reachFrames: number): Box | undefined {
  const box = boxAt(chain, index, reachFrames)?.box
  return box && completed(box, chain, index)
}

function completed<T>(box: Box, chain: Chain<T>, index: number): Box {
  const cuts = cutsOf(box)
  if (cuts.count === 0) return box
  // In a corner neither side says how large it has become: it is at least as large as where only one was cut.
  const nearest = chain.sightings
    .filter((sighting) => cutsOf(sighting.box).count < cuts.count)
    .sort((a, b) => Math.abs(a.index - index) - Math.abs(b.index - index))[0]
  if (!nearest) return box
  const model = completed(nearest.box, chain, nearest.index)
  const inCorner = cuts.count === 2
  const w = Math.max(box.w, inCorner ? model.w : cuts.across ? (box.h * model.w) / model.h : 0)
  const h = Math.max(box.h, inCorner ? model.h : cuts.down ? (box.w * model.h) / model.w : 0)
  return { x: cuts.left ? box.x + box.w - w : box.x, y: cuts.top ? box.y + box.h - h : box.y, w, h }
}

/** Which edges of the picture cut a box, and whether in one direction or in both. */
function cutsOf(box: Box): { left: boolean; top: boolean; across: boolean; down: boolean; count: number } {
  const [left, top] = [box.x < EDGE, box.y < EDGE]
  const across = left || box.x + box.w > 1 - EDGE
  const down = top || box.y + box.h > 1 - EDGE
  return { left, top, across, down, count: Number(across) + Number(down) }
}
