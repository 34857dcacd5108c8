import type { CameraConfig } from '../config/config.ts'
import type { ClockState, RedactedEvidence } from '../domain/evidence.ts'
import type { PathPoint } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import { voteText } from '../plates/vote.ts'
import { type CheckedFrame, type EvidenceDeps, type Footage, checkFootage } from './check.ts'
import { type Provenance, buildFacts } from './facts.ts'
import { renderFootage } from './render.ts'

export interface EvidenceRequest {
  readonly violation: Violation
  /** The offender's path to the end of the footage. */
  readonly path: readonly PathPoint[]
  readonly camera: Pick<CameraConfig, 'id' | 'zones' | 'rules'>
  readonly provenance: Provenance
  readonly clock: ClockState
  readonly footage: readonly Footage[]
  readonly fps: number
  /** Below this no plate text is given, 0-1. */
  readonly minConfidence: number
}

/**
 * Makes the redacted evidence of one violation. The footage is decoded twice, so that never more than a few raw frames
 * are in memory: once to search every frame, then, when all regions are known and followed in both directions of time, to
 * redact, draw and encode.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when any frame could not be checked, ERR_EVIDENCE_INCOMPLETE when video is
 *   missing, ERR_ENCODE_FAILED; nothing is kept then
 */
export async function buildEvidence(
  request: EvidenceRequest,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<RedactedEvidence> {
  const { violation, path, camera, provenance, fps } = request
  const pieces: { footage: Footage; checked: CheckedFrame[] }[] = []
  for (const footage of request.footage) {
    pieces.push({ footage, checked: await checkFootage(footage, path, fps, deps, signal) })
  }
  const frames = pieces.flatMap(({ checked }) => checked)
  const readings = frames.flatMap(({ reading }, number) =>
    reading ? [{ ...reading, sequence: number }] : [],
  )
  const vote = voteText(readings, request.minConfidence)
  const wanted = {
    before: nearest(frames, violation.enteredAt),
    during: nearest(frames, violation.judgedAt),
    after: frames.length - 1,
    plate: vote.best?.sequence,
  }
  const rendering = await renderFootage(
    pieces,
    { site: provenance.site, camera: camera.id, fps, wanted },
    signal,
  )
  const facts = buildFacts({
    violation: { ...violation, path },
    camera,
    provenance,
    clock: request.clock,
    vote,
    readings,
    ...rendering,
  })
  return { facts, files: rendering.files.map(({ name, bytes }) => ({ name, bytes })) }
}

function nearest(frames: readonly CheckedFrame[], at: number): number {
  let best = 0
  frames.forEach(({ capturedAt }, index) => {
    if (Math.abs(capturedAt - at) < Math.abs((frames[best]?.capturedAt ?? Infinity) - at)) best = index
  })
  return best
}
