import type { Camera } from '../camera/camera.ts'
import type { CameraConfig } from '../config/config.ts'
import type { ObjectDetector } from '../detection/objects.ts'
import type { AnalysisFrame } from '../domain/frame.ts'
import type { TrackedFrame } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import type { Logger } from '../log.ts'
import { type Stay, createJudge } from '../rules/judge.ts'
import { type TrackHistory, createTrackHistory } from '../tracking/history.ts'
import { createTracker } from '../tracking/tracker.ts'
import { entrySpan } from '../evidence/spans.ts'

/** Counters of one camera's analysis, since the process started. */
export interface WatchCounts {
  tracks: number
  violations: number
  /** Frames that the detector could not search; nothing was concluded from them. */
  failedFrames: number
}

/** One camera under watch. */
export interface Watch {
  readonly camera: Camera
  readonly history: TrackHistory
  readonly counts: WatchCounts
  /** Watches until the camera's input ends or the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

export interface WatchDeps {
  readonly detector: ObjectDetector
  readonly logger: Logger
  /** Called in the order in which rules are broken; must not block. */
  readonly onViolation: (violation: Violation, watch: Watch) => void
}

/**
 * Puts a camera under watch: every frame is searched, its objects are tracked, the tracks are judged. While a vehicle is in
 * a zone and may yet be judged, the video of its entry is held in memory.
 */
export function createWatch(config: CameraConfig, camera: Camera, deps: WatchDeps): Watch {
  const tracker = createTracker({ cameraId: config.id })
  const history = createTrackHistory()
  const judge = createJudge(config, { path: (id, from, to) => history.path(id, from, to) })
  const known = new Set<string>()
  const watch: Watch = {
    camera,
    history,
    counts: { tracks: 0, violations: 0, failedFrames: 0 },
    async run(signal) {
      using entries = holdEntries(camera)
      for await (const frame of camera.frames(signal)) {
        const tracked = await track(frame)
        if (!tracked) continue
        history.record(tracked)
        countTracks(tracked)
        const { violations, stays } = judge.step(tracked)
        // First the violations take the video that they need, then the entries of finished stays may go.
        for (const violation of violations) {
          watch.counts.violations++
          deps.onViolation(violation, watch)
        }
        entries.keep(stays)
      }
    },
  }
  return watch

  async function track(frame: AnalysisFrame): Promise<TrackedFrame | undefined> {
    try {
      const detections = await deps.detector.detect(frame)
      const { cameraId, sequence, capturedAt, arrival } = frame
      return tracker.step({ cameraId, sequence, capturedAt, arrival, detections })
    } catch (error) {
      // Fail closed: nothing is concluded from this frame; the tracker takes it for an occlusion.
      if (watch.counts.failedFrames++ === 0)
        deps.logger.error('a frame could not be searched', { camera: config.id, error })
      return undefined
    }
  }

  function countTracks({ tracks }: TrackedFrame): void {
    for (const { id, state } of tracks) {
      if (state === 'ended') known.delete(id)
      else if (state !== 'tentative' && !known.has(id)) {
        known.add(id)
        watch.counts.tracks++
      }
    }
  }
}

/** Holds the video of every open stay's entry. */
function holdEntries(camera: Camera): Disposable & { keep(stays: readonly Stay[]): void } {
  const holds = new Map<string, Disposable>()
  return {
    keep(stays) {
      const open = new Set<string>()
      for (const stay of stays) {
        const key = `${stay.trackId}/${stay.ruleId}/${stay.enteredAt}`
        open.add(key)
        if (holds.has(key)) continue
        const { from, to } = entrySpan(stay.enteredAt)
        holds.set(key, camera.ring.hold(from, to))
      }
      for (const [key, hold] of holds) {
        if (open.has(key)) continue
        hold[Symbol.dispose]()
        holds.delete(key)
      }
    },
    [Symbol.dispose]() {
      for (const hold of holds.values()) hold[Symbol.dispose]()
      holds.clear()
    },
  }
}
