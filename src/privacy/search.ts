import { type Detection, familyOf } from '../domain/detection.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, type PixelBox, coverage, hull, iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import type { Findings, FoundRegion } from './findings.ts'
import { halve, halveBelow } from './halve.ts'
import type { Looks } from './looks.ts'
import { turn } from './mirror.ts'
import { FULL_WIDTH, OVERVIEW_WIDTH, closerLooks, doubleLooks, fullLook, pixels, whole } from './parts.ts'

/** The networks that search full-size frames, as detection/ makes them. */
export interface Detectors {
  readonly objects: { detectIn(frame: RawFrame, part: PixelBox): Promise<Detection[]> }
  readonly regions: RegionFinder
  /** Finds more, in three times as long. */
  readonly fineRegions: RegionFinder
}

/** Finds plates and faces, in a part of a frame at `scale` times its size. */
export interface RegionFinder {
  detect(
    frame: RawFrame,
    part: PixelBox,
    scale: number,
    minScores: { readonly plate: number; readonly face: number },
  ): Promise<FoundRegion[]>
}

const MIN_OBJECT_SCORE = 0.3

/** Far objects are small: they are searched in overlapping halves of the picture's longer side, in shares of it. */
const HALVES = {
  landscape: [
    { x: 0, y: 0, w: 0.56, h: 1 },
    { x: 0.44, y: 0, w: 0.56, h: 1 },
  ],
  portrait: [
    { x: 0, y: 0, w: 1, h: 0.56 },
    { x: 0, y: 0.44, w: 1, h: 0.56 },
  ],
} as const

/** Upside down the picture is looked at in these shares of the full look's size. */
const TURNED_SIZES = [1, 2 / 3]

/**
 * Searches one full-size frame for everything that redaction must know.
 *
 * @param offender where the offender is, if that is known
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when any network fails: the frame was not checked and must not be kept
 */
export async function searchFrame(
  frame: RawFrame,
  detectors: Detectors,
  looks: Looks,
  offender?: Box,
): Promise<Findings> {
  try {
    const overview = frame.width > OVERVIEW_WIDTH ? halve(frame) : frame
    const objects = await detectors.objects.detectIn(overview, whole(overview))
    const cut: Detection[] = []
    if (looks.far) {
      for (const part of HALVES[frame.width >= frame.height ? 'landscape' : 'portrait'])
        for (const found of await detectors.objects.detectIn(overview, pixels(overview, part)))
          (isCut(found.box, part) ? cut : objects).push(found)
    }
    const sure = mergeObjects(objects, cut)
    const finder = looks.areFine ? detectors.fineRegions : detectors.regions
    const look: LookAt = (picture, part, scale) => finder.detect(picture, part, scale, looks.minScores)
    const regions: FoundRegion[] = []
    for (const size of looks.whole) {
      if (size === 'half')
        regions.push(...(await look(overview, whole(overview), Math.min(1, OVERVIEW_WIDTH / overview.width))))
      else if (size === 'turned') regions.push(...(await turnedLooks(frame, look)))
      else
        for (const { part, scale } of size === 'full' ? [fullLook(frame)] : doubleLooks(frame))
          regions.push(...(await look(frame, part, scale)))
    }
    for (const { part, scale } of closerLooks(frame, sure, looks.vehicles === 'all' ? 'all' : offender))
      regions.push(...(await look(frame, part, scale)))
    assertFinite([...sure, ...regions, ...regions.flatMap(({ extent }) => (extent ? [{ box: extent }] : []))])
    const { sequence, capturedAt, width, height } = frame
    return {
      ...{ sequence, capturedAt, width, height, objects: sure },
      faces: mergeRegions(regions.filter(({ kind }) => kind === 'face')),
      plates: mergeRegions(regions.filter(({ kind }) => kind === 'plate')),
    }
  } catch (cause) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame could not be searched for faces and plates', {
      cause,
    })
  }
}

/** A look at a part of a picture, in `scale` times its size. */
type LookAt = (picture: RawFrame, part: PixelBox, scale: number) => Promise<FoundRegion[]>

/**
 * Plates of which the network is surer where up and down have changed places: cameras hang, vehicles are carried. Faces seldom stand
 * upside down.
 */
async function turnedLooks(frame: RawFrame, look: LookAt): Promise<FoundRegion[]> {
  const turned = turn(halveBelow(frame, 2 * FULL_WIDTH))
  const { part, scale } = fullLook(turned)
  const found: FoundRegion[] = []
  for (const size of TURNED_SIZES) found.push(...(await look(turned, part, size * scale)))
  const back = ({ x, y, w, h }: Box): Box => ({ x: 1 - x - w, y: 1 - y - h, w, h })
  return found
    .filter(({ kind }) => kind === 'plate')
    .map(({ kind, box, extent = box, score }) => ({ kind, score, box: back(box), extent: back(extent) }))
}

/** A box without a place cannot be hidden: whatever network gave it has not checked the frame. */
function assertFinite(found: readonly { readonly box: Box }[]): void {
  const isFinite = ({ x, y, w, h }: Box): boolean => [x, y, w, h].every(Number.isFinite)
  if (!found.every(({ box }) => isFinite(box))) throw new RangeError('a network gave a box without a place')
}

/** From this share on within an uncut box a cut one shows a part of the same. */
const CUT_COVERAGE = 0.6
/** Boxes end this close to the edge that cuts them, in 0-1 of the picture. */
const CUT_MARGIN = 0.01

/** Boxes that overlap by more than this show the same thing. */
const SAME_OVERLAP = 0.45

/**
 * Keeps the surer of boxes that show the same thing; overlapping searches find most things twice.
 *
 * @param comparable whether two can be the same thing at all: a cyclist and the bicycle share a place and are two
 */
function merge<T extends { readonly box: Box; readonly score: number }>(
  found: readonly T[],
  comparable: (a: T, b: T) => boolean = () => true,
): T[] {
  const kept: T[] = []
  for (const item of [...found].sort((a, b) => b.score - a.score)) {
    if (!kept.some((other) => comparable(other, item) && iou(other.box, item.box) > SAME_OVERLAP))
      kept.push(item)
  }
  return kept
}

/**
 * As `merge`. What is cut by the edge of a half is only a part of something, however sure the network is of it: it counts where
 * nothing shows the whole.
 */
function mergeObjects(uncut: readonly Detection[], cut: readonly Detection[]): Detection[] {
  const isSure = ({ score }: Detection): boolean => score >= MIN_OBJECT_SCORE
  const sameFamily = (a: Detection, b: Detection): boolean => familyOf(a.class) === familyOf(b.class)
  const found = merge(uncut.filter(isSure), sameFamily)
  const alone = cut
    .filter(isSure)
    .filter(
      (part) => !found.some((one) => sameFamily(one, part) && coverage(part.box, one.box) > CUT_COVERAGE),
    )
  return [...found, ...merge(alone, sameFamily)]
}

/** Whether a box ends where a part of the picture does, and the picture goes on. */
function isCut(box: Box, part: Box): boolean {
  const ends = (at: number, edge: number): boolean => edge > 0 && edge < 1 && Math.abs(at - edge) < CUT_MARGIN
  return (
    ends(box.x, part.x) ||
    ends(box.y, part.y) ||
    ends(box.x + box.w, part.x + part.w) ||
    ends(box.y + box.h, part.y + part.h)
  )
}

/** Regions that are at least this share as sure as the surest say with it how far a thing reaches. */
const EXTENT_SHARE = 0.7

/** As `merge`; what is found in several looks reaches as far as it did in any that was nearly as sure. */
function mergeRegions(found: readonly FoundRegion[]): FoundRegion[] {
  return merge(found).map((region) => {
    const same = found.filter(
      ({ box, score }) =>
        iou(box, region.box) > SAME_OVERLAP && score >= EXTENT_SHARE * region.score && score <= region.score,
    )
    return { ...region, extent: same.map(({ extent, box }) => extent ?? box).reduce(hull) }
  })
}
