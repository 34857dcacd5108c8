import { type Box, centre, grow, interpolate, iou } from '../domain/geometry.ts'

/** One thing seen in one frame of a clip; `item` is what was seen. */
export interface Sighting<T> {
  readonly index: number
  readonly box: Box
  readonly item: T
}

/** One thing followed through the frames of a clip. */
export interface Chain<T> {
  readonly sightings: readonly Sighting<T>[]
}

/** How long a chain may go unseen and still be the same thing, in frames. */
const MAX_GAP_FRAMES = 8

/** Beyond this many of its own sizes, a box is not the same thing one frame later. */
const MAX_STEP_SIZES = 1

/**
 * Links boxes of consecutive frames into chains, one a thing, best match first. The whole clip is known, so a gap is
 * filled from both sides later (`boxAt`). Times are frame indexes: the frames of a clip are evenly spaced.
 */
export function chainBoxes<T extends { readonly box: Box }>(frames: readonly (readonly T[])[]): Chain<T>[] {
  const chains: Sighting<T>[][] = []
  let open: Sighting<T>[][] = []

  frames.forEach((items, index) => {
    open = open.filter((chain) => index - lastOf(chain).index <= MAX_GAP_FRAMES)
    const pairs = open.flatMap((chain) =>
      items.map((item) => ({
        chain,
        item,
        affinity: affinity(predict(chain, index), item.box, index - lastOf(chain).index),
      })),
    )
    pairs.sort((a, b) => b.affinity - a.affinity)
    const takenChains = new Set<Sighting<T>[]>()
    const takenItems = new Set<T>()
    for (const { chain, item, affinity } of pairs) {
      if (affinity <= 0) break
      if (takenChains.has(chain) || takenItems.has(item)) continue
      takenChains.add(chain)
      takenItems.add(item)
      chain.push({ index, box: item.box, item })
    }
    for (const item of items) {
      if (takenItems.has(item)) continue
      const chain = [{ index, box: item.box, item }]
      chains.push(chain)
      open.push(chain)
    }
  })
  return chains.map((sightings) => ({ sightings }))
}

/**
 * Where the chain's thing is in a frame: as seen, or between two sightings on the line between them, or up to
 * `reachFrames` before the first and after the last one, moved on as it last moved and grown by 8 % a frame because
 * certainty shrinks. Undefined where it is not known.
 */
export function boxAt<T>(
  chain: Chain<T>,
  index: number,
  reachFrames: number,
): { readonly box: Box; readonly seen: boolean } | undefined {
  const { sightings } = chain
  const after = sightings.findIndex((sighting) => sighting.index >= index)
  const next = after < 0 ? undefined : sightings[after]
  if (next?.index === index) return { box: next.box, seen: true }
  const previous = after < 0 ? sightings.at(-1) : sightings[after - 1]

  if (previous && next) {
    const share = (index - previous.index) / (next.index - previous.index)
    const away = Math.min(index - previous.index, next.index - index)
    return { box: grow(interpolate(previous.box, next.box, share), 0.04 * away), seen: false }
  }
  const edge = previous ?? next
  if (!edge) return undefined
  const away = Math.abs(index - edge.index)
  if (away > reachFrames) return undefined
  const speed = speedAt(sightings, previous ? 'end' : 'start')
  const moved = {
    ...edge.box,
    x: edge.box.x + speed.x * (index - edge.index),
    y: edge.box.y + speed.y * (index - edge.index),
  }
  return { box: grow(moved, 0.08 * away), seen: false }
}

function lastOf<T>(chain: readonly Sighting<T>[]): Sighting<T> {
  const last = chain.at(-1)
  if (!last) throw new RangeError('a chain has at least one sighting')
  return last
}

function predict<T>(chain: readonly Sighting<T>[], index: number): Box {
  const last = lastOf(chain)
  const speed = speedAt(chain, 'end')
  const steps = index - last.index
  return { ...last.box, x: last.box.x + speed.x * steps, y: last.box.y + speed.y * steps }
}

/** Movement of the centre a frame, over the outermost three sightings. */
function speedAt<T>(
  sightings: readonly Sighting<T>[],
  end: 'start' | 'end',
): { readonly x: number; readonly y: number } {
  const few = end === 'end' ? sightings.slice(-3) : sightings.slice(0, 3)
  const first = few[0]
  const last = few.at(-1)
  if (!first || !last || first.index === last.index) return { x: 0, y: 0 }
  const from = centre(first.box)
  const to = centre(last.box)
  const steps = last.index - first.index
  return { x: (to.x - from.x) / steps, y: (to.y - from.y) / steps }
}

/** Above 0 where the two may be the same thing: overlap first, nearness for things that are small and fast. */
function affinity(predicted: Box, box: Box, gapFrames: number): number {
  const overlap = iou(predicted, box)
  if (overlap > 0.1) return overlap
  const a = centre(predicted)
  const b = centre(box)
  const sizes = Math.max(
    Math.abs(a.x - b.x) / Math.max(predicted.w, box.w),
    Math.abs(a.y - b.y) / Math.max(predicted.h, box.h),
  )
  const sizeRatio = Math.sqrt((predicted.w * predicted.h) / (box.w * box.h))
  if (sizeRatio > 1.8 || sizeRatio < 1 / 1.8) return 0
  const limit = MAX_STEP_SIZES + 0.25 * (gapFrames - 1)
  return sizes < limit ? 0.1 * (1 - sizes / limit) : 0
}
