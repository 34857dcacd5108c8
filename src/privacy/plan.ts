import type { Detection } from '../domain/detection.ts'
import type { Region } from '../domain/evidence.ts'
import { type Box, centre, clip, coverage, grow, iou } from '../domain/geometry.ts'
import type { PathPoint } from '../domain/track.ts'
import { type Chain, boxAt, chainBoxes } from './chain.ts'
import type { Findings, FoundRegion } from './findings.ts'
import { offenderChain, offenderPlates } from './offender.ts'

/** What is hidden in one frame, and the one plate that is not. */
export interface FramePlan {
  readonly regions: readonly Region[]
  readonly offenderPlate?: FoundRegion
}

/** A sure detection is followed for two seconds beyond its ends; at 5 frames a second that is this many frames. */
const REACH_FRAMES = 10

/** A single weak detection hides what it shows and a moment around it, but does not wander far. */
const WEAK_REACH_FRAMES = 2
const WEAK_SCORE = 0.5

/** Masks are grown by this share on each side: a detector's box may cut letters and chins. */
const MASK_GROWTH = 0.15

/** Below these box heights, in shares of the picture's height, a head has no face and a vehicle no plate that can be read. */
const MIN_PERSON_HEIGHT = 0.05
const MIN_VEHICLE_HEIGHT = 0.06

/**
 * Decides what to hide in every frame of a clip. All frames are known at once, so everything is followed forwards and
 * backwards in time: what a detector misses in a frame stays hidden where it was, or moves with the person or vehicle it
 * belongs to. A person without any known face gets the head hidden, a bystander's vehicle without any known plate the part
 * where plates sit. Only the plate of the vehicle on `offenderPath` stays, and only in frames that leave no doubt.
 */
export function planRegions(frames: readonly Findings[], offenderPath: readonly PathPoint[]): FramePlan[] {
  const objects = chainBoxes(frames.map((frame) => frame.objects))
  const plates = chainBoxes(frames.map((frame) => frame.plates))
  const faces = chainBoxes(frames.map((frame) => frame.faces))
  const offender = offenderChain(objects, frames, offenderPath)
  const kept = new Map(
    offender
      ? offenderPlates(offender, objects, plates, frames).map(({ index, plate }) => [index, plate])
      : [],
  )

  return frames.map((_, index) => {
    const offenderPlate = kept.get(index)
    const shown = [...at(plates, index, 'plate'), ...at(faces, index, 'face')].filter(
      (region) => !(offenderPlate && region.kind === 'plate' && iou(region.box, offenderPlate.box) > 0.3),
    )
    const carried = [
      ...carry(objects, plates, index, 'plate').filter(
        (region) => !offenderPlate || iou(region.box, offenderPlate.box) <= 0.1,
      ),
      ...carry(objects, faces, index, 'face'),
    ].filter(
      (region) => !shown.some((other) => other.kind === region.kind && coverage(region.box, other.box) > 0.8),
    )
    const known = [...shown, ...carried]
    const regions = [...known, ...inferred(objects, offender, known, index)]
      .map((region) => ({ ...region, box: clip(region.box) }))
      .filter((region): region is Region => region.box !== undefined)
    return offenderPlate ? { regions, offenderPlate } : { regions }
  })
}

/** Regions that are found in the frame, or followed into it from other frames. */
function at(chains: readonly Chain<FoundRegion>[], index: number, kind: 'face' | 'plate'): Region[] {
  return chains.flatMap((chain): Region[] => {
    const best = Math.max(...chain.sightings.map(({ item }) => item.score))
    const found = boxAt(
      chain,
      index,
      best < WEAK_SCORE && chain.sightings.length < 3 ? WEAK_REACH_FRAMES : REACH_FRAMES,
    )
    if (!found) return []
    return [
      { kind, box: grow(found.box, MASK_GROWTH), source: found.seen ? 'detected' : 'followed', score: best },
    ]
  })
}

/** Regions known from other frames, moved to where the person or vehicle that they belong to is in this one. */
function carry(
  owners: readonly Chain<Detection>[],
  chains: readonly Chain<FoundRegion>[],
  index: number,
  kind: 'face' | 'plate',
): Region[] {
  return owners.flatMap((owner): Region[] => {
    const isPerson = owner.sightings[0]?.item.class === 'person'
    const here = boxAt(owner, index, WEAK_REACH_FRAMES)?.box
    if (!here || (kind === 'plate' && isPerson)) return []
    return chains.flatMap((chain): Region[] => {
      const sure = chain.sightings.filter(({ item }) => item.score >= WEAK_SCORE)
      if (sure.some((sighting) => sighting.index === index)) return []
      const nearest = [...sure].sort((a, b) => Math.abs(a.index - index) - Math.abs(b.index - index))[0]
      if (!nearest) return []
      const there = boxAt(owner, nearest.index, 0)?.box
      if (!there || coverage(nearest.box, there) < 0.8) return []
      const stands = iou(here, there) > 0.8
      if (!stands && Math.abs(nearest.index - index) > REACH_FRAMES) return []
      const sx = here.w / there.w
      const sy = here.h / there.h
      const box: Box = {
        x: here.x + (nearest.box.x - there.x) * sx,
        y: here.y + (nearest.box.y - there.y) * sy,
        w: nearest.box.w * sx,
        h: nearest.box.h * sy,
      }
      return [{ kind, box: grow(box, MASK_GROWTH + 0.1), source: 'followed', score: nearest.item.score }]
    })
  })
}

/** Heads and plate areas of persons and vehicles for which no face and no plate is known in this frame. */
function inferred(
  owners: readonly Chain<Detection>[],
  offender: Chain<Detection> | undefined,
  known: readonly Region[],
  index: number,
): Region[] {
  return owners.flatMap((owner): Region[] => {
    const item = owner.sightings[0]?.item
    const place = boxAt(owner, index, 1)
    if (!item || !place) return []
    const { box } = place
    const score = Math.max(...owner.sightings.map((sighting) => sighting.item.score))
    const has = (kind: Region['kind'], part: Box): boolean =>
      known.some(
        (region) => region.kind === kind && coverage({ ...centre(region.box), w: 1e-6, h: 1e-6 }, part) > 0,
      )

    if (item.class === 'person') {
      const upper = { ...box, h: box.h * 0.4 }
      if (box.h < MIN_PERSON_HEIGHT || has('face', upper)) return []
      // A standing person's head is 1/7 of the height; bent, riding or turned it may be anywhere across the box.
      const head = { x: box.x, y: box.y - 0.02 * box.h, w: box.w, h: 0.24 * box.h }
      return [{ kind: 'head', box: head, source: 'inferred', score }]
    }
    if (item.class === 'bicycle' || box.h < MIN_VEHICLE_HEIGHT || has('plate', box)) return []
    if (offender && (owner === offender || sameVehicle(owner, offender, index))) return []
    return [
      {
        kind: 'plate-area',
        box: { ...box, y: box.y + 0.4 * box.h, h: 0.6 * box.h },
        source: 'inferred',
        score,
      },
    ]
  })
}

/** One vehicle found twice, say as car and as truck. */
function sameVehicle(a: Chain<Detection>, b: Chain<Detection>, index: number): boolean {
  const boxA = boxAt(a, index, 1)?.box
  const boxB = boxAt(b, index, 1)?.box
  return boxA !== undefined && boxB !== undefined && iou(boxA, boxB) > 0.7
}
