import type { Region } from '../domain/evidence.ts'
import { type Box, area, centre, hull, intersection } from '../domain/geometry.ts'
import type { FramePlan } from '../privacy/plan.ts'
import { coverOf } from './leaks.ts'

/** Beyond this many of its own sizes, a region is not the same thing in the next searched frame. */
const MAX_STEP_SIZES = 4
/** One that is only followed is hidden up to three times as large as where it is found. */
const MAX_SIZE_RATIO = 4

/**
 * What to hide between two searched frames: whatever is hidden in either of them, and the way from the one place to the other
 * of what moves too fast for the two to meet. A plate stays readable only where it does in both.
 */
export function planBetween(before: FramePlan, after: FramePlan): FramePlan {
  const regions = [
    ...[...before.regions, ...after.regions].map(followed),
    ...before.regions.flatMap((region) => wayTo(region, after.regions)),
  ]
  const { offenderPlate: left } = before
  const { offenderPlate: right } = after
  if (left && right) return { regions, offenderPlate: { ...left, box: hull(left.box, right.box) } }
  const doubtful = left ?? right
  return { regions: doubtful ? [...regions, followed(coverOf(doubtful))] : regions }
}

function followed(region: Region): Region {
  return region.source === 'detected' ? { ...region, source: 'followed' } : region
}

/** The way to the nearest region of the kind that may be the same, where the two do not meet. */
function wayTo(from: Region, regions: readonly Region[]): Region[] {
  const candidates = regions
    .filter((to) => to.kind === from.kind && ratio(from.box, to.box) <= MAX_SIZE_RATIO)
    .map((to) => ({ to, steps: stepsTo(from.box, to.box) }))
    .sort((a, b) => a.steps - b.steps)
  const [nearest] = candidates
  if (!nearest || nearest.steps > MAX_STEP_SIZES || intersection(from.box, nearest.to.box)) return []
  return [{ ...followed(from), box: hull(from.box, nearest.to.box) }]
}

/** How far apart two boxes are, in sizes of the larger. */
function stepsTo(a: Box, b: Box): number {
  const from = centre(a)
  const to = centre(b)
  return Math.max(Math.abs(from.x - to.x) / Math.max(a.w, b.w), Math.abs(from.y - to.y) / Math.max(a.h, b.h))
}

function ratio(a: Box, b: Box): number {
  const share = area(a) / area(b)
  return share < 1 ? 1 / share : share
}
