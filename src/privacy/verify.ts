import type { Region } from '../domain/evidence.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, area, grow, intersection, iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import type { FoundRegion } from './findings.ts'
import { halveBelow } from './halve.ts'
import { mirror } from './mirror.ts'
import type { Detectors } from './search.ts'

/** Reads a plate, or gives undefined where it is too small. */
export type PlateReader = (
  frame: RawFrame,
  plate: Box,
) => Promise<{ readonly text: string; readonly confidence: number } | undefined>

/** The search looked at full and half size: this one looks between the two, at a picture that stands the other way round. */
export const VERIFIED_SIDE = 1280
const SMALL_SIDE = 960
const SMALL_SCALE = 1.5

/** Where a network is as sure as this, a face or plate was left. */
const SURE = { plate: 0.6, face: 0.55 }
/** The same where little is lost by hiding more: before anything was made. */
export const SUSPECTED = { plate: 0.5, face: 0.45 }
/** Of a plate that the network doubts, the reader decides: text is no accident from here on. */
const DOUBTED_PLATE = 0.3
const WHOLE_PLATE = { minText: 4, confidence: 0.9 }

/**
 * Of what is found and hidden in part, this much must be open in one piece to count, in shares of its sides: letters can be read where
 * half of their height is seen and two of them stand beside each other, and half a face is one. Less is the rim of what hiding made.
 */
const OPEN_PLATE = { width: 0.3, height: 0.5 }
const OPEN_FACE_AREA = 0.4
/** Beside a hidden place a network is less sure of what is left of a plate, and there are fewer letters. */
const REST_OF_PLATE = { score: 0.5, minText: 2, confidence: 0.8 }
const BESIDE = 0.1
const SAME_PLATE_OVERLAP = 0.25

/**
 * Searches a picture that was redacted, encoded and decoded again, as whoever gets it sees it, in another configuration than
 * the search before: mirrored, at another scale, with other thresholds, and with the plate reader.
 *
 * @param hidden what was hidden in it
 * @param kept plates that stay readable on purpose
 * @param sure scores from which on something counts as left, whether it can be read or not
 * @returns what is left to be hidden, in 0-1 of the picture
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a network fails
 */
export async function findLeaks(
  frame: RawFrame,
  hidden: readonly Pick<Region, 'box'>[],
  kept: readonly Box[],
  detectors: Pick<Detectors, 'regions'>,
  read: PlateReader,
  sure: { readonly plate: number; readonly face: number } = SURE,
): Promise<FoundRegion[]> {
  try {
    const seen = mirror(halveBelow(frame, 2 * VERIFIED_SIDE))
    const longer = Math.max(seen.width, seen.height)
    const scale = longer < SMALL_SIDE ? SMALL_SCALE : Math.min(1, VERIFIED_SIDE / longer)
    const whole = { x: 0, y: 0, w: seen.width, h: seen.height }
    const minScores = { plate: DOUBTED_PLATE, face: sure.face }
    const found = await detectors.regions.detect(seen, whole, scale, minScores)
    const leaks: FoundRegion[] = []
    for (const { kind, box: mirrored, score } of found) {
      const box = { ...mirrored, x: 1 - mirrored.x - mirrored.w }
      const open = openPart(box, hidden)
      if (!counts(kind, open)) continue
      if (kind === 'plate' && kept.some((plate) => iou(plate, box) > SAME_PLATE_OVERLAP)) continue
      const isRest = kind === 'plate' && hidden.some((region) => intersection(region.box, grow(box, BESIDE)))
      const limits = isRest ? REST_OF_PLATE : WHOLE_PLATE
      const least = isRest ? Math.min(sure.plate, REST_OF_PLATE.score) : sure[kind]
      if (score >= least || (await isText(frame, within(box, open), read, limits)))
        leaks.push({ kind, box, score })
    }
    return leaks
  } catch (cause) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a redacted picture could not be searched again', {
      cause,
    })
  }
}

async function isText(
  frame: RawFrame,
  plate: Box,
  read: PlateReader,
  { minText, confidence }: typeof WHOLE_PLATE,
): Promise<boolean> {
  const reading = await read(frame, plate)
  return reading !== undefined && reading.text.length >= minText && reading.confidence >= confidence
}

/** Points a side at which a box is asked whether it is hidden there. */
const SAMPLES = 12

/** The largest part of a box that lies in no hidden place, in shares of its sides. */
function openPart(box: Box, hidden: readonly Pick<Region, 'box'>[]): Box {
  const near = hidden.filter((region) => intersection(region.box, box))
  if (near.length === 0) return WHOLE
  const isOpen = (column: number, row: number): boolean => {
    const x = box.x + (box.w * (column + 0.5)) / SAMPLES
    const y = box.y + (box.h * (row + 0.5)) / SAMPLES
    return !near.some(({ box: h }) => x >= h.x && x <= h.x + h.w && y >= h.y && y <= h.y + h.h)
  }
  let best = { x: 0, y: 0, w: 0, h: 0 }
  /** Open points above each other, up to this row. */
  const heights = new Array<number>(SAMPLES).fill(0)
  for (let row = 0; row < SAMPLES; row++) {
    for (let column = 0; column < SAMPLES; column++)
      heights[column] = isOpen(column, row) ? (heights[column] ?? 0) + 1 : 0
    for (let left = 0; left < SAMPLES; left++) {
      let h = SAMPLES
      for (let right = left; right < SAMPLES; right++) {
        h = Math.min(h, heights[right] ?? 0)
        const w = right + 1 - left
        if (w * h > area(best)) best = { x: left, y: row + 1 - h, w, h }
      }
    }
  }
  const share = (points: number): number => points / SAMPLES
  return { x: share(best.x), y: share(best.y), w: share(best.w), h: share(best.h) }
}

const WHOLE: Box = { x: 0, y: 0, w: 1, h: 1 }

function counts(kind: FoundRegion['kind'], open: Box): boolean {
  if (kind === 'face') return area(open) >= OPEN_FACE_AREA
  return open.w >= OPEN_PLATE.width && open.h >= OPEN_PLATE.height
}

/** A part of a box that is given in shares of its sides. */
function within(box: Box, part: Box): Box {
  return { x: box.x + part.x * box.w, y: box.y + part.y * box.h, w: part.w * box.w, h: part.h * box.h }
}
