import type { CameraConfig } from '../config/config.ts'
import type { ClockState, RedactedEvidence } from '../domain/evidence.ts'
import type { PathPoint } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import { RoadveilError } from '../errors.ts'
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
import { withMore } from '../privacy/findings.ts'
import { type Leaks, verifyRendering } from './verify.ts'

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
 * What comes out is decoded and searched once more; what is found then is hidden in a second rendering, which is checked again.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when any frame could not be checked, ERR_REDACTION_UNVERIFIED when something
 *   was found again twice, ERR_EVIDENCE_INCOMPLETE when video is missing, ERR_ENCODE_FAILED; nothing is kept then
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

  const whole = { footage: request.footage, searched, after, searchedAfter }
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

/** All footage of a violation, searched. */
interface SearchedPieces {
  readonly footage: readonly Footage[]
  readonly searched: readonly SearchedFootage[]
  readonly after: Footage | undefined
  readonly searchedAfter: SearchedFootage | undefined
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

function planPieces(
  { footage, searched, after, searchedAfter }: SearchedPieces,
  path: readonly PathPoint[],
  maskOccupants: boolean,
): { readonly footage: Footage; readonly checked: readonly CheckedFrame[] }[] {
  return footage.flatMap((piece, index) => {
    const own = searched[index]
    if (!own) return []
    const isLast = index === footage.length - 1
    if (!isLast || !after || !searchedAfter)
      return [{ footage: piece, checked: planFootage(own, path, maskOccupants) }]
    const checked = planFootage(joinSearched(own, searchedAfter), path, maskOccupants)
    const cut = own.findings.length
    return [
      { footage: piece, checked: checked.slice(0, cut) },
      { footage: after, checked: checked.slice(cut) },
    ]
  })
}

/** The same as if the first search had found what the second one did. */
function withLeaks(pieces: SearchedPieces, leaks: Leaks): SearchedPieces {
  let first = 0
  const repaired = (own: SearchedFootage): SearchedFootage => {
    const start = first
    first += own.findings.length
    return {
      ...own,
      findings: own.findings.map((findings, index) => withMore(findings, leaks.get(start + index) ?? [])),
    }
  }
  // In the order of the clip, which numbers the frames.
  const searched = pieces.searched.map(repaired)
  return { ...pieces, searched, searchedAfter: pieces.searchedAfter && repaired(pieces.searchedAfter) }
}

function nearest(frames: readonly CheckedFrame[], at: number): number {
  let best = 0
  frames.forEach(({ capturedAt }, index) => {
    if (Math.abs(capturedAt - at) < Math.abs((frames[best]?.capturedAt ?? Infinity) - at)) best = index
  })
  return best
}
