import { release } from '../domain/release.ts'
import type { PathPoint } from '../domain/track.ts'
import { RoadveilError } from '../errors.ts'
import { encodeJpeg, encodePng, encodeWebp } from '../evidence/still.ts'
import { readPlate } from '../plates/read.ts'
import { type Findings, type FoundRegion, withMore } from '../privacy/findings.ts'
import { type FramePlan, planRegions } from '../privacy/plan.ts'
import { redactFrame } from '../privacy/redact.ts'
import { STILL_LOOKS } from '../privacy/looks.ts'
import { searchFrame } from '../privacy/search.ts'
import { findLeaks } from '../privacy/verify.ts'
import { findKeptVehicle } from './kept-still.ts'
import { coverOf } from './leaks.ts'
import type { Tools } from './options.ts'
import { decodePicture } from './picture.ts'
import { drawPreview } from './preview.ts'
import { type FrameRecord, type Verification, recordFrame } from './record.ts'

/** A still in which everything is hidden, and what was hidden in it. */
export interface AnonymizedStill {
  /** In the format in which it came. */
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
  readonly record: FrameRecord
  readonly verification: Verification
}

const ENCODERS = { jpeg: encodeJpeg, png: encodePng, webp: encodeWebp }

/**
 * Hides every face and plate of a JPEG, PNG or WebP, then decodes what came out and searches it again. What is found then is hidden
 * as well, once. The input is decoded for each step anew, so that never more than two copies of a large picture are in memory.
 *
 * @throws RoadveilError ERR_INPUT_UNREADABLE, ERR_INPUT_ANIMATED, ERR_INPUT_TOO_LARGE, ERR_REDACTION_UNCHECKED, and
 *   ERR_REDACTION_UNVERIFIED when something is still found after that
 */
export async function anonymizeStill(input: Uint8Array, tools: Tools): Promise<AnonymizedStill> {
  const { options } = tools
  const { findings, path } = await search(input, tools)
  const planOf = (leaks: readonly FoundRegion[]): FramePlan => {
    const [plan] = planRegions([withMore(findings, leaks)], path, options)
    if (!plan) throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'the picture has no redaction plan')
    return { ...plan, regions: [...plan.regions, ...leaks.map(coverOf)] }
  }

  let plan = planOf([])
  let bytes = await redact(input, plan, options)
  const leaks = await searchAgain(bytes, plan, tools)
  const repaired = leaks.length > 0
  if (repaired) {
    plan = planOf(leaks)
    bytes = await redact(input, plan, options)
    if ((await searchAgain(bytes, plan, tools)).length > 0)
      throw new RoadveilError(
        'ERR_REDACTION_UNVERIFIED',
        'faces or plates were found again in what was redacted',
      )
  }
  // Outlines are drawn on what was verified: they must not decide what is found.
  if (options.preview) bytes = await redact(input, plan, options, { outlines: true })
  const { width, height } = findings
  return {
    ...{ bytes, width, height },
    record: recordFrame({ number: 0, capturedAt: 0, width, height }, plan.regions, plan.offenderPlate?.box),
    verification: { checkedFrames: 1, repairedFrames: repaired ? 1 : 0 },
  }
}

/** What was found in a picture, and where the vehicle is whose plate is kept. */
interface Search {
  readonly findings: Findings
  readonly path: readonly PathPoint[]
}

async function search(input: Uint8Array, tools: Tools): Promise<Search> {
  const { frame } = await decodePicture(input)
  const findings = await searchFrame(frame, tools.networks.detectors, STILL_LOOKS)
  const path = await findKeptVehicle(frame, findings, tools)
  await release(frame.planes)
  return { findings, path }
}

/** The picture with its regions destroyed, as a file of its format; with their outlines, where it is to be looked at. */
async function redact(
  input: Uint8Array,
  { regions }: FramePlan,
  { style }: Tools['options'],
  { outlines = false } = {},
): Promise<Uint8Array> {
  const { frame, format } = await decodePicture(input)
  const image = redactFrame(frame, regions, { style })
  await release(frame.planes)
  if (outlines) drawPreview(image, regions)
  const bytes = await ENCODERS[format](image)
  await release(image.planes)
  return bytes
}

/** Searches what anybody would get of a redacted picture. */
async function searchAgain(
  bytes: Uint8Array,
  { regions, offenderPlate }: FramePlan,
  { networks }: Tools,
): Promise<readonly FoundRegion[]> {
  const { frame } = await decodePicture(bytes)
  const kept = offenderPlate ? [offenderPlate.box] : []
  const leaks = await findLeaks(frame, regions, kept, networks.detectors.fineRegions, (picture, plate) =>
    readPlate(picture, plate, networks.plateText),
  )
  await release(frame.planes)
  return leaks
}
