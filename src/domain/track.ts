import type { ObjectClass } from './detection.ts'
import type { Arrival, EpochMs } from './frame.ts'
import type { Box } from './geometry.ts'

/**
 * One object across frames, as known at one frame.
 *
 * `tentative`: seen too briefly to judge. `tracked`: seen in this frame. `lost`: not seen in this frame, box predicted.
 * `ended`: given up; the last word about this id.
 */
export interface Track {
  readonly id: string
  readonly cameraId: string
  /** By vote over the track's life. */
  readonly class: ObjectClass
  readonly state: 'tentative' | 'tracked' | 'lost' | 'ended'
  readonly box: Box
  /** Score of the latest detection, 0-1. */
  readonly score: number
  readonly firstSeenAt: EpochMs
  /** Capture time of the last frame in which it was really detected. */
  readonly seenAt: EpochMs
}

/** All tracks of one camera at one frame; tracks that ended with this frame are in it once more, as `ended`. */
export interface TrackedFrame {
  readonly cameraId: string
  readonly sequence: number
  readonly capturedAt: EpochMs
  readonly arrival: Arrival
  readonly tracks: readonly Track[]
}

/** One place of a track on its way. */
export interface PathPoint {
  readonly capturedAt: EpochMs
  readonly box: Box
  /** False where the box was predicted. */
  readonly seen: boolean
}
