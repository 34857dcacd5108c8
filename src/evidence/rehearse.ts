import type { RawFrame } from '../domain/frame.ts'
import { iou } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import { readPlate } from '../plates/read.ts'
import type { FoundRegion } from '../privacy/findings.ts'
import { redactFrame } from '../privacy/redact.ts'
import { SUSPECTED, findLeaks } from '../privacy/verify.ts'
import type { EvidenceDeps } from './check.ts'
import type { PlannedPiece } from './pieces.ts'
import type { Leaks } from './verify.ts'

/**
 * Redacts the sampled frames by their plan and searches them as the finished pictures will be. Hiding something changes what is
 * found beside it: half a sign looks like a plate. What stands still is found in one frame as in all, and is hidden before the
 * clip is made, not in a second rendering.
 *
 * @returns by frame number, counted through all pieces
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a network fails
 */
export async function rehearse(
  pieces: readonly PlannedPiece[],
  { detectors, plateText }: EvidenceDeps,
): Promise<Leaks> {
  const leaks = new Map<number, readonly FoundRegion[]>()
  let first = 0
  for (const { checked, samples } of pieces) {
    for (const { index, frame } of samples) {
      const plan = checked[index]?.plan
      if (!plan) throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame has no redaction plan')
      const hidden: RawFrame = { ...frame, planes: redactFrame(frame, plan.regions).planes }
      const kept = plan.offenderPlate ? [plan.offenderPlate.box] : []
      const read = (picture: RawFrame, plate: Parameters<typeof readPlate>[1]) =>
        readPlate(picture, plate, plateText)
      const found = await findLeaks(hidden, plan.regions, kept, detectors, read, SUSPECTED)
      if (found.length > 0) leaks.set(first + index, found)
    }
    first += checked.length
  }
  return spread(leaks, first)
}

/** What shows at the same place in several samples stands there all the time, whatever is seen of it in between. */
function spread(leaks: Leaks, frames: number): Leaks {
  const lasting: FoundRegion[] = []
  const samples = [...leaks.values()]
  for (const [at, found] of samples.entries()) {
    const later = samples.slice(at + 1).flat()
    lasting.push(...found.filter((one) => isAmong(one, later) && !isAmong(one, lasting)))
  }
  if (lasting.length === 0) return leaks
  return new Map(Array.from({ length: frames }, (_, n) => [n, [...(leaks.get(n) ?? []), ...lasting]]))
}

const SAME_PLACE_OVERLAP = 0.5

function isAmong({ kind, box }: FoundRegion, others: readonly FoundRegion[]): boolean {
  return others.some((other) => other.kind === kind && iou(other.box, box) > SAME_PLACE_OVERLAP)
}
