import type { CameraConfig } from '../config/config.ts'
import type { ClockState, RedactedEvidence } from '../domain/evidence.ts'
import type { PathPoint } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import { RoadveilError } from '../errors.ts'
import { voteText } from '../plates/vote.ts'
import { type CheckedFrame, type EvidenceDeps, type SearchedFootage, searchFootage } from './check.ts'
import { type Provenance, buildFacts } from './facts.ts'
import type { Footage } from './footage.ts'
import { type SearchedPieces, planPieces, withLeaks } from './pieces.ts'
import { openShotWatch } from '../privacy/shots.ts'
import { rehearse } from './rehearse.ts'
import { renderFootage } from './render.ts'
import { verifyRendering } from './verify.ts'

export interface EvidenceRequest {
  readonly violation: Violation
  readonly camera: Pick<CameraConfig, 'id' | 'zones' | 'rules'>
  readonly provenance: Provenance
  readonly clock: ClockState
  /** What is there when the violation is judged, the oldest first; the last piece ends with the judgement. */
  readonly footage: readonly Footage[]
  /** What the camera shows afterwards. It is waited for only when the rest has been searched. */
  readonly aftermath: Promise<Aftermath>
  readonly fps: number
  /** Below this no plate text is given, 0-1. */
  readonly minConfidence: number
  /** Hides where drivers and passengers sit, whether a face was found there or not. */
  readonly maskOccupants: boolean
}

/** The time after the judgement. */
export interface Aftermath {
  /** Continues the last piece; absent when the camera broke off. */
  readonly footage?: Footage
  /** The offender's path from before its entry to the end of all footage. */
  readonly path: readonly PathPoint[]
}

/**
 * Makes the redacted evidence of one violation. The footage is decoded twice, so that never more than a few raw frames
 * are in memory: once to search every frame, then, when all regions are known and followed in both directions of time, to
 * redact, draw and encode.
 *
 * The redaction is rehearsed on a few frames first. What comes out is decoded and searched once more; what is found then is hidden
 * in a second rendering, which is checked again.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when any frame could not be checked, ERR_REDACTION_UNVERIFIED when something
 *   was found again twice, ERR_EVIDENCE_INCOMPLETE when video is missing, ERR_ENCODE_FAILED; nothing is kept then
 */
export async function buildEvidence(
  request: EvidenceRequest,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<RedactedEvidence> {
  const { violation, camera, provenance } = request
  const { whole, path } = await searchAll(request, deps, signal)
  const first = await render(request, whole, path, deps, signal)
  const repaired = first.verification.leaks.size
  // What the second search found was missed by the first: it counts like everything else, and is followed in time.
  const made =
    repaired === 0
      ? first
      : await render(request, withLeaks(whole, first.verification.leaks), path, deps, signal)
  if (repaired > 0 && made.verification.leaks.size > 0) {
    const count = made.verification.leaks.size
    throw new RoadveilError('ERR_REDACTION_UNVERIFIED', `faces or plates were found again in ${count} frames`)
  }
  const { rendering, vote, readings } = made
  const facts = buildFacts({
    violation: { ...violation, path },
    camera,
    provenance,
    clock: request.clock,
    vote,
    readings,
    verification: { checkedFrames: made.verification.checkedFrames, repairedFrames: repaired },
    ...rendering,
  })
  return { facts, files: rendering.files.map(({ name, bytes }) => ({ name, bytes })) }
}

/** Searches all footage, and rehearses its redaction. The frames that this takes are in memory no longer than that. */
async function searchAll(
  { violation, footage, aftermath, fps, maskOccupants }: EvidenceRequest,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<{ readonly whole: SearchedPieces; readonly path: readonly PathPoint[] }> {
  const searched: SearchedFootage[] = []
  const ofStills = { fps, moments: [violation.enteredAt, violation.judgedAt] }
  let watch = openShotWatch()
  for (const piece of footage) {
    // There is a gap before each piece but the one that comes afterwards.
    watch = openShotWatch()
    searched.push(await searchFootage(piece, { ...ofStills, path: violation.path, watch }, deps, signal))
  }
  const { footage: after, path } = await aftermath
  const searchedAfter = after && (await searchFootage(after, { ...ofStills, path, watch }, deps, signal))
  const all = { footage, searched, after, searchedAfter }
  const leaks = await rehearse(planPieces(all, path, maskOccupants), deps)
  return { whole: withLeaks(all, leaks), path }
}

/** Plans, reads, redacts and encodes, and searches what came out of it once more. */
async function render(
  { violation, camera, provenance, fps, minConfidence, maskOccupants }: EvidenceRequest,
  pieces: SearchedPieces,
  path: readonly PathPoint[],
  deps: EvidenceDeps,
  signal: AbortSignal,
) {
  const planned = planPieces(pieces, path, maskOccupants)
  const frames = planned.flatMap(({ checked }) => checked)
  const readings = frames.flatMap(({ reading }, number) =>
    reading ? [{ ...reading, sequence: number }] : [],
  )
  const vote = voteText(readings, minConfidence)
  const wanted = {
    before: nearest(frames, violation.enteredAt),
    during: nearest(frames, violation.judgedAt),
    after: frames.length - 1,
    plate: vote.best?.sequence,
  }
  const rendering = await renderFootage(
    planned,
    { site: provenance.site, camera: camera.id, fps, wanted },
    signal,
  )
  return { rendering, vote, readings, verification: await verifyRendering(rendering, frames, deps, signal) }
}

function nearest(frames: readonly CheckedFrame[], at: number): number {
  let best = 0
  frames.forEach(({ capturedAt }, index) => {
    if (Math.abs(capturedAt - at) < Math.abs((frames[best]?.capturedAt ?? Infinity) - at)) best = index
  })
  return best
}
