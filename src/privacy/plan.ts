import { type Detection, type ObjectFamily, familyOf } from '../domain/detection.ts'
import type { Region } from '../domain/evidence.ts'
import { type Box, centre, clip, coverage, grow, hull, iou } from '../domain/geometry.ts'
import type { PathPoint } from '../domain/track.ts'
import { type Chain, boxAt, chainBoxes } from './chain.ts'
import type { Findings, FoundRegion } from './findings.ts'
import { bestScore, follow, placeAt } from './follow.ts'
import { type Offender, findOffender, offenderPlates } from './offender.ts'
import { wholeBoxAt } from './whole.ts'
import { pathIn, shotsOf } from './shots.ts'

/** What is hidden in one frame, and the one plate that is not. */
export interface FramePlan {
  readonly regions: readonly Region[]
  readonly offenderPlate?: FoundRegion
}

export interface PlanOptions {
  /** Hides the windscreen and windows of every vehicle that is large enough for a face in it to be known. */
  readonly maskOccupants?: boolean
}

/** Masks are grown by this share on each side: a detector's box may cut letters and chins. */
const MASK_GROWTH = 0.2

/** And by this much of the picture: boxes of tiny things are off by whole pixels. */
const MASK_MARGIN = 0.002

/** Two boxes that overlap by more than this are the same plate found twice. */
const SAME_PLATE_OVERLAP = 0.25

/** A rider and the bicycle, or a passenger and the car, are where the other is: each is followed among its own kind only. */
const FAMILIES: readonly ObjectFamily[] = ['vehicle', 'cycle', 'person']

/** Below these box heights in pixels a head has no face and a vehicle no plate that can be read. */
const MIN_PERSON_PIXELS = 50
const MIN_VEHICLE_PIXELS = 60

/** A plate of which the network is less sure may be lettering or a lamp, and the true one elsewhere on the vehicle. */
const SURE_PLATE_SCORE = 0.65
/** The same of a plate that is only followed: the network may be wrong about the one frame that it was found in. */
const SURE_FOLLOWED_SCORE = 0.7
/** What is wider than this share of a car, truck or bus is lettering: of most, plates take less than a third. */
const MAX_PLATE_SHARE = 0.4

/**
 * Decides what to hide in every frame of a clip, shot by shot: what is followed does not cross a cut.
 *
 * @param offenderPath as far as it is known
 */
export function planRegions(
  frames: readonly Findings[],
  offenderPath: readonly PathPoint[],
  options: PlanOptions = {},
): FramePlan[] {
  return shotsOf(frames).flatMap((shot, i, shots) => planShot(shot, pathIn(offenderPath, shots, i), options))
}

/**
 * Decides what to hide in every frame of a shot. All frames are known at once, so everything is followed forwards and
 * backwards in time: what a detector misses in a frame stays hidden where it was, or moves with the person or vehicle it
 * belongs to. A person without any known face gets the head hidden, a bystander's vehicle without a sure plate the part
 * where plates sit. Only the plate of the vehicle on `offenderPath` stays, and only in frames that leave no doubt.
 */
function planShot(
  frames: readonly Findings[],
  offenderPath: readonly PathPoint[],
  { maskOccupants = false }: PlanOptions,
): FramePlan[] {
  const objects = FAMILIES.flatMap((family) =>
    chainBoxes(frames.map((frame) => frame.objects.filter((object) => familyOf(object.class) === family))),
  )
  const plates = follow(
    'plate',
    frames.map((frame) => frame.plates),
    objects,
  )
  const faces = follow(
    'face',
    frames.map((frame) => frame.faces),
    objects,
  )
  const offender = findOffender(objects, frames, offenderPath)
  const kept = new Map(
    offender ? offenderPlates(offender, objects, plates).map(({ index, plate }) => [index, plate]) : [],
  )

  return frames.map((frame, index) => {
    const offenderPlate = kept.get(index)
    const known = [...plates, ...faces].flatMap((followed): Known[] => {
      const place = placeAt(followed, index)
      if (!place) return []
      const isOffenders =
        followed.kind === 'plate' && offenderPlate && iou(place.box, offenderPlate.box) > SAME_PLATE_OVERLAP
      if (isOffenders) return []
      const source = place.seen === undefined ? 'followed' : 'detected'
      const { kind, owner } = followed
      const box = masked(place.extent ?? place.box)
      const score = bestScore(followed)
      const isSure = place.seen === undefined ? score >= SURE_FOLLOWED_SCORE : place.seen >= SURE_PLATE_SCORE
      return [{ owner, region: { kind, box, source, score }, width: place.box.w, isSure }]
    })
    const regions = [
      ...known.map(({ region }) => region),
      ...inferred(objects, offender, known, { ...frame, index }),
      ...(maskOccupants ? windscreens(objects, { ...frame, index }) : []),
    ]
      .map((region) => ({ ...region, box: clip(region.box) }))
      .filter((region): region is Region => region.box !== undefined)
    return offenderPlate ? { regions, offenderPlate } : { regions }
  })
}

/** A region and the person or vehicle that it moves with, where there is one. */
interface Known {
  readonly owner: Chain<Detection> | undefined
  readonly region: Region
  /** Of what is hidden, without what is hidden around it. */
  readonly width: number
  /** Whether a network is so sure of it that it needs to be looked for nowhere else. */
  readonly isSure: boolean
}

function masked(box: Box): Box {
  const { x, y, w, h } = grow(box, MASK_GROWTH)
  return { x: x - MASK_MARGIN, y: y - MASK_MARGIN, w: w + 2 * MASK_MARGIN, h: h + 2 * MASK_MARGIN }
}

/** Heads and plate areas of persons and vehicles for which no face and no sure plate is known in this frame. */
function inferred(
  owners: readonly Chain<Detection>[],
  offender: Offender | undefined,
  known: readonly Known[],
  { index, width, height }: { readonly index: number; readonly width: number; readonly height: number },
): Region[] {
  return owners.flatMap((owner): Region[] => {
    const item = owner.sightings[0]?.item
    const place = boxAt(owner, index, 1)
    if (!item || !place) return []
    const { box } = place
    const score = Math.max(...owner.sightings.map((sighting) => sighting.item.score))
    // Who stands in front of another shows a face within the other's box: it is not the other's.
    const knownIn = (kind: Region['kind'], part: Box): Known[] =>
      known.filter(
        ({ region, owner: itsOwner }) =>
          region.kind === kind &&
          (itsOwner === undefined || itsOwner === owner) &&
          coverage({ ...centre(region.box), w: 1e-6, h: 1e-6 }, part) > 0,
      )

    if (item.class === 'person') {
      const upper = { ...box, h: box.h * 0.4 }
      if (box.h * height < MIN_PERSON_PIXELS) return []
      // Where a face is only followed to, it may have turned or bent away meanwhile: the head is hidden as well.
      if (knownIn('face', upper).some(({ region }) => region.source === 'detected')) return []
      // A standing person's head is 1/7 of the height; bent, riding or turned it may be anywhere across the box. Of who is
      // close, or behind something, the box is as wide and less high, and most of it may be the head.
      const share = Math.min(1, Math.max(0.24, (0.75 * box.w * width) / (box.h * height)))
      const head = { x: box.x, y: box.y - 0.02 * box.h, w: box.w, h: share * box.h }
      return [{ kind: 'head', box: head, source: 'inferred', score }]
    }
    if (item.class === 'bicycle' || box.h * height < MIN_VEHICLE_PIXELS) return []
    const vehicle = whole(owner, index, box)
    const mostWide = item.class === 'motorcycle' ? Infinity : MAX_PLATE_SHARE * vehicle.w
    // What is only followed to there on nothing, or on another, may have gone elsewhere meanwhile.
    const isOwn = ({ owner: itsOwner, region }: Known): boolean =>
      itsOwner === owner || region.source === 'detected'
    const own = knownIn('plate', box).filter(isOwn)
    if (own.some(({ isSure, width }) => isSure && width <= mostWide)) return []
    if (
      offender?.onPath.has(index) &&
      (owner === offender.chain || sameVehicle(owner, offender.chain, index))
    )
      return []
    const lower = ({ y, h, ...sides }: Box): Box => ({ ...sides, y: y + 0.4 * h, h: 0.6 * h })
    return [
      {
        kind: 'plate-area',
        box: hull(lower(box), lower(vehicle)),
        source: 'inferred',
        score,
      },
    ]
  })
}

/** Where the windows of cars, vans, trucks and buses are, in shares of the vehicle's box; seen from any side they lie above. */
const WINDOWS = {
  car: { from: 0.04, to: 0.48 },
  truck: { from: 0.1, to: 0.6 },
  bus: { from: 0.06, to: 0.62 },
}
/** Below this height of a vehicle in pixels a face behind its windscreen has less than 8. */
const MIN_OCCUPIED_PIXELS = 70

function windscreens(
  owners: readonly Chain<Detection>[],
  { index, height }: { readonly index: number; readonly height: number },
): Region[] {
  return owners.flatMap((owner): Region[] => {
    const kind = owner.sightings[0]?.item.class
    const box = boxAt(owner, index, 1)?.box
    if ((kind !== 'car' && kind !== 'truck' && kind !== 'bus') || !box) return []
    if (box.h * height < MIN_OCCUPIED_PIXELS) return []
    const { from, to } = WINDOWS[kind]
    const score = Math.max(...owner.sightings.map(({ item }) => item.score))
    const windows = ({ x, y, w, h }: Box): Box => ({
      ...{ x: x + 0.05 * w, y: y + from * h },
      ...{ w: 0.9 * w, h: (to - from) * h },
    })
    const place = hull(windows(box), windows(whole(owner, index, box)))
    return [{ kind: 'windscreen', box: place, source: 'inferred', score }]
  })
}

/** A vehicle's box beyond the edges of the picture, too, where they cut it. */
function whole(vehicle: Chain<Detection>, index: number, box: Box): Box {
  return wholeBoxAt(vehicle, index, 1) ?? box
}

/** One vehicle found twice, say as car and as truck. */
function sameVehicle(a: Chain<Detection>, b: Chain<Detection>, index: number): boolean {
  const boxA = boxAt(a, index, 1)?.box
  const boxB = boxAt(b, index, 1)?.box
  return boxA !== undefined && boxB !== undefined && iou(boxA, boxB) > 0.7
}
