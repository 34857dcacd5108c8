import type { Detection } from '../domain/detection.ts'
import type { EpochMs } from '../domain/frame.ts'
import { type Box, centre, contains, coverage, interpolate, iou } from '../domain/geometry.ts'
import type { PathPoint } from '../domain/track.ts'
import { type Chain, boxAt } from './chain.ts'
import type { Findings, FoundRegion } from './findings.ts'
import type { Followed } from './follow.ts'

/** The offender's plate as it may stay readable in one frame. */
export interface OffenderPlate {
  readonly index: number
  readonly plate: FoundRegion
}

/** A path further away from the frame than this says nothing about it. */
const MAX_PATH_GAP_MS = 600

/** Below this overlap a box is not the offender's. */
const MIN_SAME_OVERLAP = 0.4

/** The offender in a clip. */
export interface Offender {
  readonly chain: Chain<Detection>
  /** The frames in which the chain keeps to the offender's path; in the others it may be somebody else by now. */
  readonly onPath: ReadonlySet<number>
}

/**
 * The chain of boxes that is the offender: the one that overlaps its path most, over all frames. Undefined when none
 * does well enough, and then no plate stays readable.
 */
export function findOffender(
  chains: readonly Chain<Detection>[],
  frames: readonly Findings[],
  path: readonly PathPoint[],
): Offender | undefined {
  let best: { chain: Chain<Detection>; mean: number; total: number } | undefined
  for (const chain of chains) {
    if (chain.sightings[0]?.item.class === 'person') continue
    let total = 0
    let compared = 0
    for (const { index, box } of chain.sightings) {
      const frame = frames[index]
      const expected = frame && pathBoxAt(path, frame.capturedAt)
      if (!expected) continue
      total += iou(expected, box)
      compared++
    }
    if (compared === 0) continue
    const mean = total / compared
    if (mean >= MIN_SAME_OVERLAP && total > (best?.total ?? 0)) best = { chain, mean, total }
  }
  if (!best) return undefined
  const { chain } = best
  const onPath = frames.flatMap(({ capturedAt }, index) => {
    const expected = pathBoxAt(path, capturedAt)
    const place = boxAt(chain, index, 1)
    return expected && place && iou(expected, place.box) >= MIN_SAME_OVERLAP ? [index] : []
  })
  return { chain, onPath: new Set(onPath) }
}

/** The vehicle's box on its path at a time, or undefined where the path does not reach. */
export function pathBoxAt(path: readonly PathPoint[], at: EpochMs): Box | undefined {
  let previous: PathPoint | undefined
  for (const point of path) {
    if (point.capturedAt >= at) {
      if (!previous) return point.capturedAt - at <= MAX_PATH_GAP_MS ? point.box : undefined
      // A parked car's path is thinned out: a gap between two boxes in one place is no gap.
      const gap = point.capturedAt - previous.capturedAt
      if (gap > 2 * MAX_PATH_GAP_MS && iou(previous.box, point.box) < 0.7) return undefined
      return interpolate(previous.box, point.box, gap > 0 ? (at - previous.capturedAt) / gap : 0)
    }
    previous = point
  }
  return previous && at - previous.capturedAt <= MAX_PATH_GAP_MS ? previous.box : undefined
}

/**
 * Which plate of each frame is the offender's. A frame with any doubt has none: the offender not seen in it or off its
 * path, another vehicle over the plate, or another plate that might be it as well.
 */
export function offenderPlates(
  { chain: offender, onPath }: Offender,
  objectChains: readonly Chain<Detection>[],
  plates: readonly Followed[],
): OffenderPlate[] {
  const candidates = plates
    .filter(({ owner }) => owner === offender)
    .map(({ chain }) => {
      const sure = chain.sightings.filter(({ index, item: { found } }) => {
        const at = offender.sightings.find((sighting) => sighting.index === index)
        return (
          at &&
          onPath.has(index) &&
          fits(at.box, found.box) &&
          !overlappedByOther(found.box, index, at.box, offender, objectChains)
        )
      })
      return { sure, worth: sure.reduce((sum, { item }) => sum + item.found.score, 0) }
    })
    .sort((a, b) => b.worth - a.worth)
  const [best, second] = candidates
  if (!best) return []
  // Front and rear plate of one car are never seen together: two at a time are a doubt, unless one is a mere flicker.
  if (second && second.worth > 0.5 * best.worth && overlapInTime(best.sure, second.sure)) return []
  return best.sure.map(({ index, item }) => ({ index, plate: item.found }))
}

/** A plate lies within its vehicle and is much smaller. */
function fits(vehicle: Box, plate: Box): boolean {
  return coverage(plate, vehicle) > 0.9 && plate.w < 0.6 * vehicle.w
}

function overlappedByOther(
  plate: Box,
  index: number,
  offenderBox: Box,
  offender: Chain<Detection>,
  objectChains: readonly Chain<Detection>[],
): boolean {
  return objectChains.some((chain) => {
    if (chain === offender || chain.sightings[0]?.item.class === 'person') return false
    const other = boxAt(chain, index, 2)?.box
    if (!other || iou(other, offenderBox) > 0.7) return false // one vehicle found twice, say as car and as truck
    const p = centre(plate)
    return contains(corners(other), p)
  })
}

function corners({ x, y, w, h }: Box): { x: number; y: number }[] {
  return [
    { x, y },
    { x: x + w, y },
    { x: x + w, y: y + h },
    { x, y: y + h },
  ]
}

function overlapInTime(a: readonly { index: number }[], b: readonly { index: number }[]): boolean {
  const indexes = new Set(a.map(({ index }) => index))
  return b.filter(({ index }) => indexes.has(index)).length >= 2
}
