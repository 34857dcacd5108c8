import { type Detection, familyOf } from '../domain/detection.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, type PixelBox, clip, grow, iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import type { Findings, FoundRegion } from './findings.ts'
import { halve } from './halve.ts'

/** The networks that search full-size frames, as detection/ makes them. */
export interface Detectors {
  readonly objects: { detectIn(frame: RawFrame, part: PixelBox): Promise<Detection[]> }
  readonly faces: {
    detect(frame: RawFrame, part: PixelBox, scale: number, minScore: number): Promise<FoundRegion[]>
  }
  readonly plates: { detect(frame: RawFrame, part: PixelBox, minScore: number): Promise<FoundRegion[]> }
  /** The same for parts that are small already. */
  readonly platesClose: { detect(frame: RawFrame, part: PixelBox, minScore: number): Promise<FoundRegion[]> }
}

/** Low on purpose: a false mask costs a patch of grey, a missed face a person's privacy. */
const MIN_FACE_SCORE = 0.3
const MIN_PLATE_SCORE = 0.2
const MIN_OBJECT_SCORE = 0.3

/** The whole picture is searched for faces at up to this width; persons are searched again, closer. */
const FACE_SEARCH_WIDTH = 960
/** A person's upper part is brought to about this many pixels, where YuNet sees faces best. */
const PERSON_LOOK_PIXELS = 192

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
 * Which costly looks a frame gets. Every frame is searched for persons and vehicles, every person in it closely for a face and
 * the offender closely for its plate. The other looks come in turns: what one frame shows is followed into its neighbours,
 * on the person or vehicle that it belongs to.
 */
export interface Looks {
  /** Persons and vehicles far away. */
  readonly far: boolean
  /** Faces on nobody that was found, behind windscreens for one. */
  readonly looseFaces: boolean
  /** Plates of all vehicles; the offender's is looked at in every frame. */
  readonly plates: boolean
  /** Plates on nothing that was found. */
  readonly loosePlates: boolean
}

/**
 * The looks of the n-th frame of a clip: each comes at least about every 0.8 or 0.4 s, since in a longer time things move
 * too far to be followed.
 *
 * @param fps of the clip
 */
export function looksAt(index: number, fps: number): Looks {
  const every = (seconds: number, most: number): number =>
    Math.min(most, Math.max(1, Math.round(seconds * fps)))
  const turn = every(0.4, 2)
  const longTurn = every(0.8, 4)
  return {
    far: index % longTurn === 0,
    loosePlates: index % longTurn === longTurn >> 1,
    // Not in the same frames as the plates, so that the work is even; the first frame has nothing to be followed from.
    looseFaces: index === 0 || index % turn === turn - 1,
    plates: index % turn === 0,
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
    const overview = frame.width > FACE_SEARCH_WIDTH ? halve(frame) : frame
    const objects = await detectors.objects.detectIn(overview, whole(overview))
    if (looks.far) {
      for (const part of HALVES[frame.width >= frame.height ? 'landscape' : 'portrait'])
        objects.push(...(await detectors.objects.detectIn(overview, pixels(overview, part))))
    }
    const sure = merge(
      objects.filter(({ score }) => score >= MIN_OBJECT_SCORE),
      (a, b) => familyOf(a.class) === familyOf(b.class),
    )
    const faces = await searchPersons(frame, sure, detectors)
    if (looks.looseFaces) {
      const scale = Math.min(1, FACE_SEARCH_WIDTH / overview.width)
      faces.push(...(await detectors.faces.detect(overview, whole(overview), scale, MIN_FACE_SCORE)))
    }
    const wanted = looks.plates ? sure : sure.filter(({ box }) => offender && iou(box, offender) > 0.3)
    const plates = await searchVehicles(frame, wanted, detectors)
    if (looks.loosePlates) {
      plates.push(...(await detectors.plates.detect(overview, whole(overview), MIN_PLATE_SCORE)))
    }
    assertFinite([...sure, ...faces, ...plates])
    const { sequence, capturedAt, width, height } = frame
    return { sequence, capturedAt, width, height, objects: sure, faces: merge(faces), plates: merge(plates) }
  } catch (cause) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame could not be searched for faces and plates', {
      cause,
    })
  }
}

async function searchPersons(
  frame: RawFrame,
  objects: readonly Detection[],
  detectors: Detectors,
): Promise<FoundRegion[]> {
  const found: FoundRegion[] = []
  for (const { box, class: kind } of objects) {
    if (kind !== 'person') continue
    // Of who is close the picture shows little more than a head, in a box as wide as high.
    const h = Math.min(box.h, Math.max(0.5 * box.h, (box.w * frame.width) / frame.height))
    const upper = pixels(frame, grow({ ...box, h }, 0.1))
    if (upper.w < 8 || upper.h < 8) continue
    const closer = Math.min(3, PERSON_LOOK_PIXELS / Math.max(upper.w, upper.h))
    found.push(...(await detectors.faces.detect(frame, upper, closer, MIN_FACE_SCORE)))
  }
  return found
}

async function searchVehicles(
  frame: RawFrame,
  objects: readonly Detection[],
  detectors: Detectors,
): Promise<FoundRegion[]> {
  const found: FoundRegion[] = []
  for (const { box, class: kind } of objects) {
    if (kind === 'person' || kind === 'bicycle') continue
    const part = pixels(frame, grow(box, 0.1))
    if (part.w < 24 || part.h < 24) continue
    found.push(...(await detectors.platesClose.detect(frame, part, MIN_PLATE_SCORE)))
  }
  return found
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
