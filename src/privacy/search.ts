import { type Detection, familyOf } from '../domain/detection.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, type PixelBox, clip, grow, hull, iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import type { Findings, FoundRegion } from './findings.ts'
import { halve } from './halve.ts'

/** The networks that search full-size frames, as detection/ makes them. */
export interface Detectors {
  readonly objects: { detectIn(frame: RawFrame, part: PixelBox): Promise<Detection[]> }
  /** Plates and faces, in a part of a frame at `scale` times its size. */
  readonly regions: {
    detect(
      frame: RawFrame,
      part: PixelBox,
      scale: number,
      minScores: { readonly plate: number; readonly face: number },
    ): Promise<FoundRegion[]>
  }
}

/** Low on purpose: a false mask costs a patch of grey, a missed face a person's privacy. */
const MIN_SCORES = { plate: 0.55, face: 0.45 }
const MIN_OBJECT_SCORE = 0.3

/** The whole picture is looked at in these widths; parts of it are looked at closer. */
const OVERVIEW_WIDTH = 960
const FULL_WIDTH = 1920
/** A person's upper part is brought to about this many pixels, and the offender's vehicle to that many. */
const PERSON_LOOK_PIXELS = 192
const VEHICLE_LOOK_PIXELS = 512
const MAX_ENLARGEMENT = 3
/** Of tiles, so that what lies on the edge of one is whole in the next. */
const TILE_OVERLAP = 0.1

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

/**
 * Which costly looks a frame gets. Every frame is searched for persons and vehicles, every person in it closely for a face
 * and the offender closely for its plate. The other looks come in turns: what one frame shows is followed into its
 * neighbours, on the person or vehicle that it belongs to.
 */
export interface Looks {
  /** Persons and vehicles far away. */
  readonly far: boolean
  /** The whole picture for faces and plates: at full size, at half for those that are large enough for it, at double for the small. */
  readonly whole: readonly ('double' | 'full' | 'half')[]
  /** Whose vehicle is looked at closely for its plate. */
  readonly vehicles: 'offender' | 'all'
  /** From which scores on something is hidden. */
  readonly minScores: { readonly plate: number; readonly face: number }
}

/**
 * For a picture that stands alone: no other frame shows what this one hides. More looks find more, and more that is none: from
 * these scores on 99 % of the validation sets' faces are hidden, with about three masks for each.
 */
export const STILL_LOOKS: Looks = {
  far: true,
  whole: ['double', 'full', 'half'],
  vehicles: 'all',
  minScores: { plate: 0.6, face: 0.55 },
}

/**
 * The looks of the n-th frame of a clip: the whole picture at least about every 0.4 s, at full size every 0.8 s, since in a
 * longer time things move too far to be followed.
 *
 * @param fps of the clip
 */
export function looksAt(index: number, fps: number): Looks {
  const every = (seconds: number, most: number): number =>
    Math.min(most, Math.max(1, Math.round(seconds * fps)))
  const turn = every(0.4, 2)
  const longTurn = every(0.8, 4)
  const whole = index % longTurn === 0 ? (['full'] as const) : index % turn === 0 ? (['half'] as const) : []
  // Not in the same frames, so that the work is even; the first frame has nothing to be followed from.
  return {
    far: index === 0 || index % longTurn === longTurn >> 1,
    whole,
    vehicles: 'offender',
    minScores: MIN_SCORES,
  }
}

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
    if (looks.far) {
      for (const part of HALVES[frame.width >= frame.height ? 'landscape' : 'portrait'])
        objects.push(...(await detectors.objects.detectIn(overview, pixels(overview, part))))
    }
    const sure = merge(
      objects.filter(({ score }) => score >= MIN_OBJECT_SCORE),
      (a, b) => familyOf(a.class) === familyOf(b.class),
    )
    const look = (picture: RawFrame, part: PixelBox, scale: number): Promise<FoundRegion[]> =>
      detectors.regions.detect(picture, part, scale, looks.minScores)
    const regions: FoundRegion[] = []
    for (const size of looks.whole) {
      if (size === 'half')
        regions.push(...(await look(overview, whole(overview), Math.min(1, OVERVIEW_WIDTH / overview.width))))
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

/** A part of a frame, to be looked at in `scale` times its size. */
interface Look {
  readonly part: PixelBox
  readonly scale: number
}

/** Small pictures are looked at in up to twice their size, and of very large ones no more than a network can take. */
function fullLook(frame: RawFrame): Look {
  const longer = Math.max(frame.width, frame.height)
  const scale =
    longer < OVERVIEW_WIDTH ? Math.min(2, OVERVIEW_WIDTH / longer) : Math.min(1, FULL_WIDTH / longer)
  return { part: whole(frame), scale }
}

/** Twice the size of the full look, in overlapping tiles that a network can take. */
function doubleLooks(frame: RawFrame): Look[] {
  const scale = 2 * fullLook(frame).scale
  const columns = spans(frame.width, FULL_WIDTH / scale)
  const rows = spans(frame.height, FULL_WIDTH / scale)
  return rows.flatMap((row) =>
    columns.map((column) => ({ part: { x: column.at, y: row.at, w: column.size, h: row.size }, scale })),
  )
}

/** Divides a side into the fewest equal spans of at most `most` pixels that overlap by `TILE_OVERLAP` of themselves. */
function spans(side: number, most: number): { readonly at: number; readonly size: number }[] {
  if (side <= most) return [{ at: 0, size: side }]
  const count = Math.ceil((side - TILE_OVERLAP * most) / (most * (1 - TILE_OVERLAP)))
  const size = Math.min(side, Math.floor(most))
  return Array.from({ length: count }, (_, i) => ({
    at: Math.floor(((side - size) * i) / (count - 1)),
    size,
  }))
}

/** Every person's upper part, and the offender's vehicle or all. */
function closerLooks(
  frame: RawFrame,
  objects: readonly Detection[],
  vehicles: 'all' | Box | undefined,
): Look[] {
  const looks = objects.flatMap(({ box, class: kind }) => {
    if (kind === 'person') {
      // Of who is close the picture shows little more than a head, in a box as wide as high.
      const h = Math.min(box.h, Math.max(0.5 * box.h, (box.w * frame.width) / frame.height))
      return [{ part: pixels(frame, grow({ ...box, h }, 0.1)), size: PERSON_LOOK_PIXELS }]
    }
    if (vehicles !== 'all' && (!vehicles || iou(box, vehicles) <= 0.3)) return []
    return [{ part: pixels(frame, grow(box, 0.1)), size: VEHICLE_LOOK_PIXELS }]
  })
  return looks
    .filter(({ part }) => part.w >= 8 && part.h >= 8)
    .map(({ part, size }) => ({ part, scale: Math.min(MAX_ENLARGEMENT, size / Math.max(part.w, part.h)) }))
}

/** A box without a place cannot be hidden: whatever network gave it has not checked the frame. */
function assertFinite(found: readonly { readonly box: Box }[]): void {
  const isFinite = ({ x, y, w, h }: Box): boolean => [x, y, w, h].every(Number.isFinite)
  if (!found.every(({ box }) => isFinite(box))) throw new RangeError('a network gave a box without a place')
}

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

function whole({ width, height }: RawFrame): PixelBox {
  return { x: 0, y: 0, w: width, h: height }
}

function pixels(frame: RawFrame, box: Box): PixelBox {
  const inside = clip(box) ?? { x: 0, y: 0, w: 0, h: 0 }
  const x = Math.floor(inside.x * frame.width)
  const y = Math.floor(inside.y * frame.height)
  return {
    x,
    y,
    w: Math.min(frame.width, Math.ceil((inside.x + inside.w) * frame.width)) - x,
    h: Math.min(frame.height, Math.ceil((inside.y + inside.h) * frame.height)) - y,
  }
}
