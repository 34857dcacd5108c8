import type { EpochMs, RawFrame } from '../domain/frame.ts'

/** A frame that is kept from the search to the plan. */
export interface SampledFrame {
  /** From 0, in its piece of footage. */
  readonly index: number
  readonly frame: RawFrame
}

/** Keeps the frames of a piece of footage on which its redaction is rehearsed: few, since raw ones take much memory. */
export interface Sampler {
  /** Frames in order. */
  take(frame: RawFrame): void
  samples(): readonly SampledFrame[]
}

/**
 * Makes a sampler that keeps the frames that may become stills, which are searched most closely afterwards: those nearest to certain
 * moments and the last one. And it keeps one in the middle.
 *
 * @param frames about how many will come, at `fps` a second
 */
export function createSampler(frames: number, fps: number, moments: readonly EpochMs[]): Sampler {
  const kept: SampledFrame[] = []
  let last: SampledFrame | undefined
  let index = 0
  return {
    take(frame) {
      const sample = { index: index++, frame }
      const isStill = moments.some((at) => Math.abs(frame.capturedAt - at) <= 500 / fps)
      last = undefined
      if (isStill || sample.index === frames >> 1) kept.push(sample)
      else last = sample
    },
    samples: () => (last ? [...kept, last] : kept),
  }
}
