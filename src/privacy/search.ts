import { type Detection, familyOf } from '../domain/detection.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, type PixelBox, clip, grow, iou } from '../domain/geometry.ts'
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
const MIN_SCORES = { plate: 0.5, face: 0.4 }
const MIN_OBJECT_SCORE = 0.3

/** The whole picture is looked at in these widths; parts of it are looked at closer. */
const OVERVIEW_WIDTH = 960
const FULL_WIDTH = 1920
/** A person's upper part is brought to about this many pixels, and the offender's vehicle to that many. */
const PERSON_LOOK_PIXELS = 192
const VEHICLE_LOOK_PIXELS = 512
const MAX_ENLARGEMENT = 3

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
  /** The whole picture for faces and plates: at full size, at half for those that are large enough for it, or both. */
  readonly whole: readonly ('full' | 'half')[]
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
  return { far: index === 0 || index % longTurn === longTurn >> 1, whole }
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
      detectors.regions.detect(picture, part, scale, MIN_SCORES)
    const regions: FoundRegion[] = []
    for (const size of looks.whole) {
      const found =
        size === 'full'
          ? look(frame, whole(frame), fullScale(frame))
          : look(overview, whole(overview), Math.min(1, OVERVIEW_WIDTH / overview.width))
      regions.push(...(await found))
    }
    for (const { part, scale } of closerLooks(frame, sure, offender))
      regions.push(...(await look(frame, part, scale)))
    assertFinite([...sure, ...regions])
    const { sequence, capturedAt, width, height } = frame
    return {
      ...{ sequence, capturedAt, width, height, objects: sure },
      faces: merge(regions.filter(({ kind }) => kind === 'face')),
      plates: merge(regions.filter(({ kind }) => kind === 'plate')),
    }
  } catch (cause) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame could not be searched for faces and plates', {
      cause,
    })
  }
}

/** Small pictures are looked at in up to twice their size, and of very large ones no more than a network can take. */
function fullScale({ width, height }: RawFrame): number {
  const longer = Math.max(width, height)
  return longer < OVERVIEW_WIDTH ? Math.min(2, OVERVIEW_WIDTH / longer) : Math.min(1, FULL_WIDTH / longer)
}

/** Every person's upper part, and the offender's vehicle. */
function closerLooks(
  frame: RawFrame,
  objects: readonly Detection[],
  offender: Box | undefined,
): { readonly part: PixelBox; readonly scale: number }[] {
  const looks = objects.flatMap(({ box, class: kind }) => {
    if (kind === 'person') {
      // Of who is close the picture shows little more than a head, in a box as wide as high.
      const h = Math.min(box.h, Math.max(0.5 * box.h, (box.w * frame.width) / frame.height))
      return [{ part: pixels(frame, grow({ ...box, h }, 0.1)), size: PERSON_LOOK_PIXELS }]
    }
    if (!offender || iou(box, offender) <= 0.3) return []
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
    if (!kept.some((other) => comparable(other, item) && iou(other.box, item.box) > 0.45)) kept.push(item)
  }
  return kept
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
