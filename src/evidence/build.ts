import type { CameraConfig } from '../config/config.ts'
import type { ClockState, RedactedEvidence } from '../domain/evidence.ts'
import type { PathPoint } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import { voteText } from '../plates/vote.ts'
import {
  type CheckedFrame,
  type EvidenceDeps,
  type Footage,
  type SearchedFootage,
  joinSearched,
  planFootage,
  searchFootage,
} from './check.ts'
import { type Provenance, buildFacts } from './facts.ts'
import { renderFootage } from './render.ts'

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
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when any frame could not be checked, ERR_EVIDENCE_INCOMPLETE when video is
 *   missing, ERR_ENCODE_FAILED; nothing is kept then
 */
export async function buildEvidence(
  request: EvidenceRequest,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<RedactedEvidence> {
  const { violation, camera, provenance, fps } = request
  const searched: SearchedFootage[] = []
  for (const footage of request.footage) {
    searched.push(await searchFootage(footage, violation.path, fps, deps, signal))
  }
  const { footage: after, path } = await request.aftermath
  const searchedAfter = after && (await searchFootage(after, path, fps, deps, signal))

  const pieces = request.footage.flatMap((footage, index) => {
    const own = searched[index]
    if (!own) return []
    const isLast = index === request.footage.length - 1
    if (!isLast || !after || !searchedAfter) return [{ footage, checked: planFootage(own, path) }]
    const checked = planFootage(joinSearched(own, searchedAfter), path)
    const cut = own.findings.length
    return [
      { footage, checked: checked.slice(0, cut) },
      { footage: after, checked: checked.slice(cut) },
    ]
  })
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
