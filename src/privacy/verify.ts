import type { Region } from '../domain/evidence.ts'
import type { RawFrame } from '../domain/frame.ts'
import { type Box, area, iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import type { FoundRegion } from './findings.ts'
import { halveBelow } from './halve.ts'
import { mirror } from './mirror.ts'
import type { RegionFinder } from './search.ts'

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
const MIN_TEXT = 4
const READ_CONFIDENCE = 0.9

/** Of what is found, this much lies in hidden places already: it is what hiding made, or the rim of it. */
const HIDDEN_SHARE = 0.4
const SAME_PLATE_OVERLAP = 0.25

/**
 * Searches a picture that was redacted, encoded and decoded again, as whoever gets it sees it, in another configuration than
 * the search before: mirrored, at another scale, with other thresholds, and with the plate reader.
 *
 * @param hidden what was hidden in it
 * @param kept plates that stay readable on purpose
 * @param regions the network that such pictures are searched with
 * @param sure scores from which on something counts as left, whether it can be read or not
 * @returns what is left to be hidden, in 0-1 of the picture
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a network fails
 */
export async function findLeaks(
  frame: RawFrame,
  hidden: readonly Pick<Region, 'box'>[],
  kept: readonly Box[],
  regions: RegionFinder,
  read: PlateReader,
  sure: { readonly plate: number; readonly face: number } = SURE,
): Promise<FoundRegion[]> {
  try {
    const seen = mirror(halveBelow(frame, 2 * VERIFIED_SIDE))
    const longer = Math.max(seen.width, seen.height)
    const scale = longer < SMALL_SIDE ? SMALL_SCALE : Math.min(1, VERIFIED_SIDE / longer)
    const whole = { x: 0, y: 0, w: seen.width, h: seen.height }
    const minScores = { plate: DOUBTED_PLATE, face: sure.face }
    const found = await regions.detect(seen, whole, scale, minScores)
    const leaks: FoundRegion[] = []
    for (const { kind, box: mirrored, score } of found) {
      const box = { ...mirrored, x: 1 - mirrored.x - mirrored.w }
      if (hiddenShare(box, hidden) >= HIDDEN_SHARE) continue
      if (kind === 'plate' && kept.some((plate) => iou(plate, box) > SAME_PLATE_OVERLAP)) continue
      if (score >= sure[kind] || (await isText(frame, box, read))) leaks.push({ kind, box, score })
    }
    return leaks
  } catch (cause) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a redacted picture could not be searched again', {
      cause,
    })
  }
}

async function isText(frame: RawFrame, plate: Box, read: PlateReader): Promise<boolean> {
  const reading = await read(frame, plate)
  return reading !== undefined && reading.text.length >= MIN_TEXT && reading.confidence >= READ_CONFIDENCE
}

/** Points a side at which a box is asked whether it is hidden there. */
const SAMPLES = 12

/** The share of a box that lies in hidden places, 0-1. */
function hiddenShare(box: Box, hidden: readonly Pick<Region, 'box'>[]): number {
  if (area(box) === 0) return 1
  let covered = 0
  for (let row = 0; row < SAMPLES; row++) {
    for (let column = 0; column < SAMPLES; column++) {
      const x = box.x + (box.w * (column + 0.5)) / SAMPLES
      const y = box.y + (box.h * (row + 0.5)) / SAMPLES
      if (hidden.some(({ box: h }) => x >= h.x && x <= h.x + h.w && y >= h.y && y <= h.y + h.h)) covered++
    }
  }
  return covered / SAMPLES ** 2
}
