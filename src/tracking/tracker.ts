import { type DetectedFrame, type Detection, type ObjectClass, familyOf } from '../domain/detection.ts'
import type { EpochMs } from '../domain/frame.ts'
import { type Box, iou } from '../domain/geometry.ts'
import type { Track, TrackedFrame } from '../domain/track.ts'
import { associate } from './association.ts'
import { type Motion, correct, predict, startMotion } from './motion.ts'

/** Follows the objects of one camera. */
export interface Tracker {
  /** Takes the next frame's detections, score 0.1 and up; time is read from the frame, never from the host. */
  step(frame: DetectedFrame): TrackedFrame
}

/** Detections from here on are believed by themselves, those below only where a track expects them (ByteTrack). */
const HIGH_SCORE = 0.4
/** A new track begins with a detection of at least this score. */
const NEW_SCORE = 0.5
/** Seen this often, a track may be judged. */
const CONFIRMING_HITS = 3

/** How long a moving object may be out of sight. */
const LOST_MS = 2_000
/** How long a parked one: whatever stands in front of it, it does not leave unseen. */
const PARKED_LOST_MS = 60_000
/** It is parked when it has stood in one place for this long. */
const PARKED_AFTER_MS = 2_000
const SAME_PLACE_OVERLAP = 0.75
/** Of a parked vehicle's box a detection must cover this much to be it: who drives past covers less, or is seen elsewhere. */
const PARKED_MIN_OVERLAP = 0.5
/** Two vehicles cannot stand in one place. */
const REPLACED_OVERLAP = 0.5
/** Seen within this time, a track is sure of where it is. */
const RECENT_MS = 700
/** After a longer gap between frames nothing can be followed. */
const MAX_FRAME_GAP_MS = 30_000

/** A track as the tracker keeps it. */
interface Life {
  readonly id: string
  readonly firstSeenAt: EpochMs
  readonly votes: Map<ObjectClass, number>
  motion: Motion
  score: number
  seenAt: EpochMs
  hits: number
  confirmed: boolean
  /** Where it was, and since when it has been there. */
  placed: { readonly box: Box; readonly since: EpochMs }
}

/**
 * Makes a tracker of the ByteTrack kind (Zhang et al., 2022): first the sure detections are given to the tracks that
 * expect them, then the tracks that got none take unsure ones, so that a half-hidden vehicle keeps its id.
 */
export function createTracker({ cameraId }: { readonly cameraId: string }): Tracker {
  let lives: Life[] = []
  let count = 0
  let lastAt: EpochMs | undefined

  return {
    step(frame) {
      const now = frame.capturedAt
      const { cameraId: camera, sequence, capturedAt, arrival } = frame
      const ended: Life[] = []
      if (lastAt !== undefined && (now < lastAt || now - lastAt > MAX_FRAME_GAP_MS))
        ended.push(...lives.splice(0))
      lastAt = now

      const sure = frame.detections.filter(({ score }) => score >= HIGH_SCORE)
      const unsure = frame.detections.filter(({ score }) => score < HIGH_SCORE)
      // Who was seen just now goes first: a vehicle that arrives where another one is lost keeps its own id.
      const expecting = lives.map((life) => ({ life, expected: expectedBox(life, now) }))
      const isRecent = ({ life }: { life: Life }): boolean => now - life.seenAt <= RECENT_MS
      const recent = associate(expecting.filter(isRecent), sure, canBe)
      const lost = associate(
        expecting.filter((life) => !isRecent(life)),
        recent.restDetections,
        canBe,
      )
      const seenLately = recent.restTracks.filter(({ life }) => life.confirmed)
      const weak = associate(seenLately, unsure, canBe)
      for (const [{ life }, detection] of [...recent.pairs, ...lost.pairs, ...weak.pairs])
        see(life, detection, now)
      for (const detection of lost.restDetections)
        if (detection.score >= NEW_SCORE) lives.push(begin(detection, now))

      const alive = lives.filter((life) => isAlive(life, now) && !isReplaced(life, lives, now))
      ended.push(...lives.filter((life) => !alive.includes(life)))
      lives = alive
      const tracks = [
        ...alive.map((life) => snapshot(life, now)),
        // What was never confirmed ends without a word.
        ...ended
          .filter(({ confirmed }) => confirmed)
          .map((life) => ({ ...snapshot(life, now), state: 'ended' as const })),
      ]
      return { cameraId: camera, sequence, capturedAt, arrival, tracks }
    },
  }

  function begin(detection: Detection, at: EpochMs): Life {
    const { box, score } = detection
    return {
      id: `${cameraId}-${++count}`,
      firstSeenAt: at,
      votes: new Map([[detection.class, score]]),
      motion: startMotion(box, at),
      score,
      seenAt: at,
      hits: 1,
      confirmed: false,
      placed: { box, since: at },
    }
  }

  function snapshot(life: Life, now: EpochMs): Track {
    const seen = life.seenAt === now
    return {
      id: life.id,
      cameraId,
      class: [...life.votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best))[0],
      state: !life.confirmed ? 'tentative' : seen ? 'tracked' : 'lost',
      box: seen ? life.motion.box : expectedBox(life, now),
      score: life.score,
      firstSeenAt: life.firstSeenAt,
      seenAt: life.seenAt,
    }
  }
}

function see(life: Life, detection: Detection, at: EpochMs): void {
  const parkedBefore = isParked(life)
  life.motion = correct(life.motion, detection.box, at)
  life.score = detection.score
  life.votes.set(detection.class, (life.votes.get(detection.class) ?? 0) + detection.score)
  life.seenAt = at
  life.hits++
  if (life.hits >= CONFIRMING_HITS) life.confirmed = true
  if (iou(life.placed.box, life.motion.box) < SAME_PLACE_OVERLAP) {
    // Something in front may cut a parked vehicle's box for a moment: then it is seen in its place, only smaller.
    if (parkedBefore && isCutOff(life.placed.box, life.motion.box)) return
    life.placed = { box: life.motion.box, since: at }
  }
}

/** True where the box lies within the old one and shares two of its edges at least. */
function isCutOff(whole: Box, part: Box): boolean {
  const near = (a: number, b: number, size: number): boolean => Math.abs(a - b) < 0.1 * size
  const edges = [
    near(whole.x, part.x, whole.w),
    near(whole.y, part.y, whole.h),
    near(whole.x + whole.w, part.x + part.w, whole.w),
    near(whole.y + whole.h, part.y + part.h, whole.h),
  ]
  return part.w * part.h < whole.w * whole.h && edges.filter(Boolean).length >= 3
}

function isParked(life: Life): boolean {
  return life.seenAt - life.placed.since >= PARKED_AFTER_MS
}

function expectedBox(life: Life, now: EpochMs): Box {
  return isParked(life) ? life.placed.box : predict(life.motion, now)
}

/** Another vehicle is parked where this one was lost: it has left behind whatever stood in front of it. */
function isReplaced(life: Life, lives: readonly Life[], now: EpochMs): boolean {
  if (now - life.seenAt <= LOST_MS) return false
  return lives.some(
    (other) =>
      other !== life &&
      other.seenAt === now &&
      isParked(other) &&
      iou(other.placed.box, life.placed.box) > REPLACED_OVERLAP,
  )
}

function isAlive(life: Life, now: EpochMs): boolean {
  const missing = now - life.seenAt
  if (!life.confirmed) return missing === 0
  return missing <= (isParked(life) ? PARKED_LOST_MS : LOST_MS)
}

function canBe(
  { life, expected }: { readonly life: Life; readonly expected: Box },
  { class: seen, box }: Detection,
): boolean {
  const [first] = life.votes.keys()
  if (first === undefined || familyOf(first) !== familyOf(seen)) return false
  return !isParked(life) || iou(expected, box) > PARKED_MIN_OVERLAP || isCutOff(expected, box)
}
