import type { RawFrame } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { encodeJpeg, encodePng } from '../evidence/still.ts'
import { readPlate } from '../plates/read.ts'
import { type FoundRegion, withMore } from '../privacy/findings.ts'
import { type FramePlan, planRegions } from '../privacy/plan.ts'
import { redactFrame } from '../privacy/redact.ts'
import { STILL_LOOKS, searchFrame } from '../privacy/search.ts'
import { findLeaks } from '../privacy/verify.ts'
import { findKeptVehicle } from './kept-still.ts'
import { coverOf } from './leaks.ts'
import type { Tools } from './options.ts'
import { type Picture, decodePicture } from './picture.ts'
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

const ENCODERS = { jpeg: encodeJpeg, png: encodePng }

/**
 * Hides every face and plate of a JPEG or PNG, then decodes what came out and searches it again. What is found then is hidden
 * as well, once.
 *
 * @throws RoadveilError ERR_INPUT_UNREADABLE, ERR_INPUT_ANIMATED, ERR_INPUT_TOO_LARGE, ERR_REDACTION_UNCHECKED, and
 *   ERR_REDACTION_UNVERIFIED when something is still found after that
 */
export async function anonymizeStill(input: Uint8Array, tools: Tools): Promise<AnonymizedStill> {
  const { options, networks } = tools
  const picture = await decodePicture(input)
  const { frame, format } = picture
  const findings = await searchFrame(frame, networks.detectors, STILL_LOOKS)
  const path = await findKeptVehicle(frame, findings, tools)
  const planOf = (leaks: readonly FoundRegion[]): FramePlan => {
    const [plan] = planRegions([withMore(findings, leaks)], path, options)
    if (!plan) throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'the picture has no redaction plan')
    return { ...plan, regions: [...plan.regions, ...leaks.map(coverOf)] }
  }

  let plan = planOf([])
  let made = await write(picture, plan, tools)
  const repaired = made.leaks.length > 0
  if (repaired) {
    plan = planOf(made.leaks)
    made = await write(picture, plan, tools)
    if (made.leaks.length > 0)
      throw new RoadveilError(
        'ERR_REDACTION_UNVERIFIED',
        'faces or plates were found again in what was redacted',
      )
  }
  const { width, height } = frame
  return {
    // Outlines are drawn on what was verified: they must not decide what is found.
    bytes: options.preview ? await outlined(frame, format, plan, tools) : made.bytes,
    ...{ width, height },
    record: recordFrame({ number: 0, capturedAt: 0, width, height }, plan.regions, plan.offenderPlate?.box),
    verification: { checkedFrames: 1, repairedFrames: repaired ? 1 : 0 },
  }
}

/** Redacts and encodes, and searches what anybody would get of it. */
async function write(
  { frame, format }: Picture,
  { regions, offenderPlate }: FramePlan,
  { networks, options }: Tools,
): Promise<{ readonly bytes: Uint8Array; readonly leaks: readonly FoundRegion[] }> {
  const bytes = await ENCODERS[format](redactFrame(frame, regions, { style: options.style }))
  const { frame: seen } = await decodePicture(bytes)
  const kept = offenderPlate ? [offenderPlate.box] : []
  const leaks = await findLeaks(seen, regions, kept, networks.detectors, (picture, plate) =>
    readPlate(picture, plate, networks.plateText),
  )
  return { bytes, leaks }
}

async function outlined(
  frame: RawFrame,
  format: Picture['format'],
  { regions }: FramePlan,
  { options }: Tools,
): Promise<Uint8Array> {
  const image = redactFrame(frame, regions, { style: options.style })
  drawPreview(image, regions)
  return ENCODERS[format](image)
}
