import type { Detection } from '../domain/detection.ts'
import { type Box, area, centre, coverage, grow, iou } from '../domain/geometry.ts'
import { type Chain, type Sighting, boxAt, chainBoxes } from './chain.ts'
import type { FoundRegion } from './findings.ts'
import { wholeBoxAt } from './whole.ts'

/** A face or plate followed through a clip; owned by the person or vehicle that it moves with, where there is one. */
export interface Followed {
  readonly kind: FoundRegion['kind']
  readonly owner?: Chain<Detection>
  /** With an owner, boxes are relative to the owner's box: (0, 0) its top left, (1, 1) its bottom right corner. */
  readonly chain: Chain<Placed>
}

/** One finding, with its box relative to its owner. */
export interface Placed {
  readonly box: Box
  readonly found: FoundRegion
}

/** What is seen well is followed for two seconds beyond its ends; at 5 frames a second that is this many frames. */
const REACH_FRAMES = 10

/** What was seen once or weakly hides a moment around it, but does not wander. */
const WEAK_REACH_FRAMES = 2
const WEAK_SCORE = 0.5

/** An owner's box is trusted this many frames beyond the last that showed it. */
const OWNER_REACH_FRAMES = 2

/**
 * Boxes of owners are off by about this share of their sides, and a place on them moves about as much as they come nearer: what is
 * followed on an owner may lie as far off, which is much for something as small as a plate.
 */
const OWNER_DOUBT = 0.04

/**
 * Links the findings of one kind through all frames of a clip. A plate moves with its vehicle and a face with its person:
 * small and fast things are linked by their place on their owner, which hardly changes, not by their place in the picture.
 *
 * @param frames findings of each frame
 * @param owners the chains of the persons and vehicles of the same frames
 */
export function follow(
  kind: FoundRegion['kind'],
  frames: readonly (readonly FoundRegion[])[],
  owners: readonly Chain<Detection>[],
): Followed[] {
  const suitable =
    kind === 'plate' ? owners.filter((owner) => owner.sightings[0]?.item.class !== 'person') : owners
  const free: Placed[][] = frames.map(() => [])
  const owned = new Map<Chain<Detection>, Placed[][]>()
  frames.forEach((regions, index) => {
    for (const found of regions) {
      const place = ownerOf(found.box, index, suitable)
      if (!place) {
        free[index]?.push({ box: extentOf(found), found })
        continue
      }
      const lists = owned.get(place.owner) ?? frames.map(() => [])
      owned.set(place.owner, lists)
      lists[index]?.push({ box: relative(extentOf(found), place.box), found })
    }
  })
  return [
    ...chainBoxes(free).map((chain) => ({ kind, chain })),
    ...[...owned].flatMap(([owner, lists]) => chainBoxes(lists).map((chain) => ({ kind, owner, chain }))),
  ]
}

/** Where a followed thing is in a frame. */
export interface Place {
  readonly box: Box
  /** How far it may reach, where that is further; what is hidden is at least this. */
  readonly extent?: Box
  /** The score of what was found, where it was found in that very frame. */
  readonly seen?: number
}

/** Where the followed thing is in a frame. Undefined where it is not known. */
export function placeAt(followed: Followed, index: number): Place | undefined {
  const { chain, owner } = followed
  const seen = chain.sightings.find((sighting) => sighting.index === index)
  const { found } = seen?.item ?? {}
  if (found) return { box: steady(extentOf(found), chain, index, foundSize), seen: found.score }
  if (!owner) {
    const reach = chain.sightings.length > 1 && !isWeak(followed) ? REACH_FRAMES : WEAK_REACH_FRAMES
    const place = boxAt(chain, index, reach)
    return place && { box: steady(place.box, chain, index, placedSize) }
  }
  const ownerBox = wholeBoxAt(owner, index, OWNER_REACH_FRAMES)
  if (!ownerBox) return undefined
  const reach = isWeak(followed) ? WEAK_REACH_FRAMES : stands(owner, chain, index) ? Infinity : REACH_FRAMES
  const nearest = boxAt(chain, index, 0) ?? nearestPlace(chain, index, reach)
  if (!nearest) return undefined
  const box = steady(nearest.box, chain, index, placedSize)
  return { box: absolute(box, ownerBox), extent: absolute(widen(box, OWNER_DOUBT), ownerBox) }
}

/** Frames before and after that say how large a thing is. */
const STEADY_FRAMES = 2

/** Of a sighting, in the coordinates of what is to be steadied. */
type SizeOf = (sighting: Sighting<Placed>) => Pick<Box, 'w' | 'h'>
const foundSize: SizeOf = ({ item }) => extentOf(item.found)
const placedSize: SizeOf = ({ box }) => box

/**
 * The box, never smaller than the same thing was found a moment before or after: a detector's boxes flicker, it boxes only what it
 * sees of a face behind a pole, and a plate that comes into the picture is cut off by its edge.
 */
function steady(box: Box, chain: Chain<Placed>, index: number, sizeOf: SizeOf): Box {
  const near = chain.sightings.filter((sighting) => Math.abs(sighting.index - index) <= STEADY_FRAMES)
  const w = Math.max(box.w, ...near.map((sighting) => sizeOf(sighting).w))
  const h = Math.max(box.h, ...near.map((sighting) => sizeOf(sighting).h))
  return { x: box.x - (w - box.w) / 2, y: box.y - (h - box.h) / 2, w, h }
}

function extentOf({ extent, box }: FoundRegion): Box {
  return extent ?? box
}

/** The best score of a followed thing, 0-1. */
export function bestScore({ chain }: Followed): number {
  return Math.max(...chain.sightings.map(({ item }) => item.found.score))
}

function isWeak(followed: Followed): boolean {
  return followed.chain.sightings.length < 3 && bestScore(followed) < WEAK_SCORE
}

/** The last or next known place on the owner, a little grown: owners turn. */
function nearestPlace(chain: Chain<Placed>, index: number, reach: number): { readonly box: Box } | undefined {
  const nearest = [...chain.sightings].sort(
    (a, b) => Math.abs(a.index - index) - Math.abs(b.index - index),
  )[0]
  if (!nearest || Math.abs(nearest.index - index) > reach) return undefined
  return { box: grow(nearest.box, Math.min(0.3, 0.04 * Math.abs(nearest.index - index))) }
}

/** True when the owner stands where it stood when the thing was last found on it. */
function stands(owner: Chain<Detection>, chain: Chain<Placed>, index: number): boolean {
  const here = boxAt(owner, index, OWNER_REACH_FRAMES)?.box
  const nearest = [...chain.sightings].sort(
    (a, b) => Math.abs(a.index - index) - Math.abs(b.index - index),
  )[0]
  const there = nearest && boxAt(owner, nearest.index, 0)?.box
  return here !== undefined && there !== undefined && iou(here, there) > 0.8
}

/** The smallest person or vehicle around a finding. */
function ownerOf(
  box: Box,
  index: number,
  owners: readonly Chain<Detection>[],
): { readonly owner: Chain<Detection>; readonly box: Box } | undefined {
  const point = { ...centre(box), w: 1e-9, h: 1e-9 }
  let best: { owner: Chain<Detection>; box: Box } | undefined
  for (const owner of owners) {
    const place = boxAt(owner, index, 1)?.box
    if (!place || coverage(box, place) < 0.6 || coverage(point, place) === 0) continue
    if (!best || area(place) < area(best.box)) best = { owner, box: place }
  }
  return best && { ...best, box: wholeBoxAt(best.owner, index, 1) ?? best.box }
}

/** The box with so much more on each side. */
function widen({ x, y, w, h }: Box, by: number): Box {
  return { x: x - by, y: y - by, w: w + 2 * by, h: h + 2 * by }
}

function relative(box: Box, owner: Box): Box {
  return {
    x: (box.x - owner.x) / owner.w,
    y: (box.y - owner.y) / owner.h,
    w: box.w / owner.w,
    h: box.h / owner.h,
  }
}

function absolute(box: Box, owner: Box): Box {
  return {
    x: owner.x + box.x * owner.w,
    y: owner.y + box.y * owner.h,
    w: box.w * owner.w,
    h: box.h * owner.h,
  }
}
