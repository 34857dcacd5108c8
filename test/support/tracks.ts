import type { DetectedFrame, Detection, ObjectClass } from '../../src/domain/detection.ts'
import type { Box } from '../../src/domain/geometry.ts'
import type { Track, TrackedFrame } from '../../src/domain/track.ts'

/** Synthetic frames of a camera at 5 frames a second. */

export const STEP_MS = 200

export function detection(box: Box, score = 0.8, kind: ObjectClass = 'car'): Detection {
  return { class: kind, score, box }
}

export function detected(index: number, detections: readonly Detection[], startsAt = 0): DetectedFrame {
  const capturedAt = startsAt + index * STEP_MS
  return {
    cameraId: 'cam-1',
    sequence: index,
    capturedAt,
    arrival: { hostAt: capturedAt + 50, monotonicMs: capturedAt },
    detections,
  }
}

/** A track whose foot is at a point; its box is a tenth of the picture wide and high. */
export function trackAt(x: number, y: number, more: Partial<Track> = {}): Track {
  return {
    id: 'cam-1-1',
    cameraId: 'cam-1',
    class: 'car',
    state: 'tracked',
    box: { x: x - 0.05, y: y - 0.1, w: 0.1, h: 0.1 },
    score: 0.8,
    firstSeenAt: 0,
    seenAt: 0,
    ...more,
  }
}

export function tracked(capturedAt: number, tracks: readonly Track[]): TrackedFrame {
  return {
    cameraId: 'cam-1',
    sequence: Math.round(capturedAt / STEP_MS),
    capturedAt,
    arrival: { hostAt: capturedAt, monotonicMs: capturedAt },
    tracks,
  }
}
