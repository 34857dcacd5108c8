import type { PacketRing } from '../camera/camera.ts'
import type { VaultLink } from '../channel/link.ts'
import type { CameraConfig } from '../config/config.ts'
import type { ClockState } from '../domain/evidence.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Violation } from '../domain/violation.ts'
import { type ErrorCode, RoadveilError, isRoadveilError } from '../errors.ts'
import type { Provenance } from '../evidence/facts.ts'
import { CLIP_FPS, POST_ROLL_MS, type Span, planSpans } from '../evidence/spans.ts'
import type { Logger } from '../log.ts'
import type { EvidenceBuilder } from './evidence-builder.ts'
import type { JobAftermath, Piece } from './evidence-worker.ts'
import type { Watch } from './watch-camera.ts'

/** Counters over all cameras, since the process started. */
export interface EvidenceCounts {
  built: number
  discarded: number
  uncheckedRedactions: number
  unverifiedRedactions: number
}

/** Turns violations into evidence in vault's hands, or into a recorded reason why not. */
export interface EvidenceDesk {
  readonly counts: EvidenceCounts
  take(violation: Violation, watch: Watch, camera: CameraConfig): void
  /** Resolves when everything taken so far is delivered or discarded. */
  settled(): Promise<void>
}

export interface EvidenceDeskDeps {
  readonly builder: EvidenceBuilder
  readonly link: VaultLink
  /** Resolves when the networks may decide about anybody. */
  readonly mayEnforce: Promise<void>
  readonly provenance: Provenance
  readonly minConfidence: number
  readonly maskOccupants: boolean
  readonly readClock: () => Promise<ClockState>
  readonly logger: Logger
}

/** Violations in work at the same time; each holds some megabytes of compressed video. */
const MAX_OPEN = 8

/** The offender's path begins this long before its entry. */
const PATH_BEFORE_MS = 10_000

export function createEvidenceDesk(deps: EvidenceDeskDeps, signal: AbortSignal): EvidenceDesk {
  const { builder, link, logger } = deps
  const counts: EvidenceCounts = { built: 0, discarded: 0, uncheckedRedactions: 0, unverifiedRedactions: 0 }
  const open = new Set<Promise<void>>()

  async function work(violation: Violation, watch: Watch, camera: CameraConfig): Promise<void> {
    const startedAt = performance.now()
    const { ring } = watch.camera
    const planned = planSpans(violation.enteredAt, violation.judgedAt)
    const holds = planned.map(({ from, to }) => ring.hold(from, to))
    try {
      if (open.size >= MAX_OPEN)
        throw new RoadveilError('ERR_EVIDENCE_OVERLOAD', 'too many violations at once')
      // The frame that shows it may come a little before the packet that holds it.
      await ring.waitFor(violation.judgedAt, signal)
      const before = piecesBefore(ring, violation, planned)
      const aftermath = waitForAftermath(watch, violation, before.at(-1)?.span.to ?? violation.judgedAt)
      aftermath.catch(() => undefined) // the builder hears of it when it is its turn
      await deps.mayEnforce
      const evidence = await builder.build(
        {
          violation,
          camera: { id: camera.id, zones: camera.zones, rules: camera.rules },
          provenance: deps.provenance,
          clock: await deps.readClock(),
          pieces: before,
          fps: CLIP_FPS,
          minConfidence: deps.minConfidence,
          maskOccupants: deps.maskOccupants,
        },
        aftermath,
        signal,
      )
      counts.built++
      logger.info('evidence built', {
        camera: camera.id,
        evidenceId: violation.id,
        durationMs: Math.round(performance.now() - startedAt),
      })
      const answer = await link.deliver(evidence)
      if (answer !== 'stored') discard(violation, answer.refused as ErrorCode)
    } catch (cause) {
      const error = isRoadveilError(cause) || !signal.aborted ? cause : stopped()
      logger.error('a violation left no evidence', { camera: camera.id, evidenceId: violation.id, error })
      discard(violation, isRoadveilError(error) ? error.code : 'ERR_REDACTION_UNCHECKED')
    } finally {
      for (const hold of holds) hold[Symbol.dispose]()
    }
  }

  /** The video after the judgement, as far as there is any, and the whole path. */
  async function waitForAftermath(watch: Watch, violation: Violation, from: EpochMs): Promise<JobAftermath> {
    const { ring } = watch.camera
    const to = violation.judgedAt + POST_ROLL_MS
    await ring.waitFor(to, signal)
    const path = watch.history.path(violation.trackId, violation.enteredAt - PATH_BEFORE_MS, to)
    try {
      return { path, piece: pieceOf(ring, { from: from + 1, to }, from + 1) }
    } catch {
      // The camera broke off: what came before still shows the violation.
      return { path }
    }
  }

  function discard(violation: Violation, code: ErrorCode): void {
    counts.discarded++
    if (code === 'ERR_REDACTION_UNCHECKED') counts.uncheckedRedactions++
    if (code === 'ERR_REDACTION_UNVERIFIED') counts.unverifiedRedactions++
    link.discard({
      evidenceId: violation.id,
      camera: violation.cameraId,
      ruleId: violation.ruleId,
      judgedAt: iso(violation.judgedAt),
      code,
    })
  }

  function stopped(): RoadveilError {
    return new RoadveilError('ERR_STOPPED', 'Roadveil was stopped before the evidence could be built')
  }

  return {
    counts,
    take(violation, watch, camera) {
      logger.info('violation', {
        camera: camera.id,
        evidenceId: violation.id,
        rule: violation.ruleId,
        ruleKind: violation.ruleKind,
        zone: violation.zoneId,
        track: violation.trackId,
        mode: violation.mode,
        at: iso(violation.judgedAt),
      })
      const job = work(violation, watch, camera).finally(() => open.delete(job))
      open.add(job)
    },
    async settled() {
      while (open.size > 0) await Promise.all(open)
    },
  }
}

/**
 * The planned video up to the judgement. Where the camera was reconnected between entry and judgement, the part around the
 * entry is a piece of its own.
 */
function piecesBefore(
  ring: PacketRing,
  { enteredAt, judgedAt }: Violation,
  planned: readonly Span[],
): Piece[] {
  const [first, second] = planned
  if (first && second) {
    return [pieceOf(ring, first, enteredAt), pieceOf(ring, { from: second.from, to: judgedAt }, judgedAt)]
  }
  const from = first?.from ?? enteredAt
  const judgement = pieceOf(ring, { from, to: judgedAt }, judgedAt)
  const { span } = judgement
  if (span.from <= enteredAt || !ring.spanAt(enteredAt)) return [judgement]
  return [pieceOf(ring, { from, to: span.from - 1 }, enteredAt), judgement]
}

const SEARCH_STEP_MS = 200

/**
 * The part of a span that is continuous in memory around the moment that matters: a recording or a fresh connection may
 * begin after the span does, or end before it.
 *
 * @throws RoadveilError ERR_PACKETS_GONE when the moment itself is not there
 */
function pieceOf(ring: PacketRing, span: Span, moment: EpochMs): Piece {
  for (let from = span.from; from <= moment; from += SEARCH_STEP_MS) {
    const found = ring.spanAt(from)
    if (!found || found.toMs < moment) continue
    const part = { from, to: Math.min(span.to, found.toMs) }
    return { span: part, clip: ring.clip(part.from, part.to) }
  }
  throw new RoadveilError('ERR_PACKETS_GONE', 'the video of the violation is no longer in memory')
}
