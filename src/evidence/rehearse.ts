import type { RawFrame } from '../domain/frame.ts'
import { iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import { readPlate } from '../plates/read.ts'
import type { FoundRegion } from '../privacy/findings.ts'
import type { FramePlan } from '../privacy/plan.ts'
import { type Style, redactFrame } from '../privacy/redact.ts'
import { SUSPECTED, findLeaks } from '../privacy/verify.ts'
import type { EvidenceDeps } from './check.ts'
import type { PlannedPiece } from './pieces.ts'
import type { Leaks } from './verify.ts'

/** A frame that is in memory, and what is to be hidden in it. */
export interface RehearsedFrame {
  readonly number: number
  readonly frame: RawFrame
  readonly plan: FramePlan
}

/**
 * Rehearses the redaction of a clip on its samples, see `rehearseFrames`.
 *
 * @returns by frame number, counted through all pieces
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a network fails
 */
export async function rehearse(pieces: readonly PlannedPiece[], deps: EvidenceDeps): Promise<Leaks> {
  const frames: RehearsedFrame[] = []
  let first = 0
  for (const { checked, samples } of pieces) {
    for (const { index, frame } of samples) {
      const plan = checked[index]?.plan
      if (!plan) throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame has no redaction plan')
      frames.push({ number: first + index, frame, plan })
    }
    first += checked.length
  }
  const all = Array.from({ length: first }, (_, number) => number)
  return rehearseFrames(frames, all, 'solid', deps)
}

/**
 * Redacts frames by their plan and searches them as the finished pictures will be. Hiding something changes what is found beside
 * it: half a sign looks like a plate. What stands still is found in one frame as in all, and is hidden before anything is made,
 * not in a second rendering.
 *
 * @param frames in order
 * @param all numbers of the frames for which they stand
 * @returns by frame number
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a network fails
 */
export async function rehearseFrames(
  frames: readonly RehearsedFrame[],
  all: readonly number[],
  style: Style,
  { detectors, plateText }: EvidenceDeps,
): Promise<Leaks> {
  const leaks = new Map<number, readonly FoundRegion[]>()
  for (const { number, frame, plan } of frames) {
    const hidden: RawFrame = { ...frame, planes: redactFrame(frame, plan.regions, { style }).planes }
    const kept = plan.offenderPlate ? [plan.offenderPlate.box] : []
    const read = (picture: RawFrame, plate: Parameters<typeof readPlate>[1]) =>
      readPlate(picture, plate, plateText)
    const found = await findLeaks(hidden, plan.regions, kept, detectors.regions, read, SUSPECTED)
    if (found.length > 0) leaks.set(number, found)
  }
  return spread(leaks, all)
}

/** What shows at the same place in several samples stands there all the time, whatever is seen of it in between. */
function spread(leaks: Leaks, all: readonly number[]): Leaks {
  const lasting: FoundRegion[] = []
  const samples = [...leaks.values()]
  for (const [at, found] of samples.entries()) {
    const later = samples.slice(at + 1).flat()
    lasting.push(...found.filter((one) => isAmong(one, later) && !isAmong(one, lasting)))
  }
  if (lasting.length === 0) return leaks
  return new Map(
    all.map((number) => [
      number,
      [...(leaks.get(number) ?? []).filter((one) => !isAmong(one, lasting)), ...lasting],
    ]),
  )
}

const SAME_PLACE_OVERLAP = 0.5

function isAmong({ kind, box }: FoundRegion, others: readonly FoundRegion[]): boolean {
  return others.some((other) => other.kind === kind && iou(other.box, box) > SAME_PLACE_OVERLAP)
}
