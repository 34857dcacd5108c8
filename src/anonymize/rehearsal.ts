import { type RawFrame, type RawVideoFrame, rawFrame } from '../domain/frame.ts'
import { rawRgb } from '../domain/rgb.ts'
import { sample } from '../detection/sample.ts'
import { rehearseFrames } from '../evidence/rehearse.ts'
import type { Leaks } from '../evidence/verify.ts'
import type { FoundRegion } from '../privacy/findings.ts'
import { VERIFIED_SIDE } from '../privacy/verify.ts'
import { coverOf } from './leaks.ts'
import type { Tools } from './options.ts'
import { sampleUnseen } from './search-video.ts'
import type { VideoInput } from './video-input.ts'
import type { Rehearsal } from './windows.ts'

/** Rehearses the redaction of a video while it is searched. */
export interface VideoRehearsal {
  /** Passes frames on and keeps those on which it is rehearsed: such as the second search will see of what was written. */
  sampled(frames: AsyncIterable<RawVideoFrame>): AsyncGenerator<RawVideoFrame, void, undefined>
  readonly rehearse: Rehearsal
  /** All that was found so far. */
  readonly leaks: Leaks
}

/** Makes a rehearsal. It holds the samples of the window that is searched, no larger than the second search looks at them. */
export function openRehearsal(
  { fps }: Pick<VideoInput, 'fps'>,
  { networks, options }: Tools,
): VideoRehearsal {
  const { first: firstSample, every } = sampleUnseen(fps)
  const samples = new Map<number, RawFrame>()
  const leaks = new Map<number, readonly FoundRegion[]>()
  return {
    leaks,
    async *sampled(frames) {
      const keep = (frame: RawVideoFrame): void => void samples.set(frame.sequence, reduced(rawRgb(frame)))
      let last: RawVideoFrame | undefined
      for await (const frame of frames) {
        const since = frame.sequence - firstSample
        if (since >= 0 && since % every === 0) keep(frame)
        last = frame
        yield frame
      }
      if (last && !samples.has(last.sequence)) keep(last)
    },
    async rehearse(planned) {
      const [first] = planned
      for (const number of samples.keys()) if (first && number < first.seen.number) samples.delete(number)
      const frames = planned.flatMap(({ seen: { number }, plan }) => {
        const frame = samples.get(number)
        const regions = [...plan.regions, ...(leaks.get(number) ?? []).map(coverOf)]
        return frame ? [{ number, frame, plan: { ...plan, regions } }] : []
      })
      const all = planned.map(({ seen: { number } }) => number)
      const found = await rehearseFrames(frames, all, options.style, networks)
      for (const [number, more] of found) leaks.set(number, [...(leaks.get(number) ?? []), ...more])
      return found
    },
  }
}

/** A large frame as small as the second search looks at it. */
function reduced(frame: RawFrame): RawFrame {
  const scale = VERIFIED_SIDE / Math.max(frame.width, frame.height)
  if (scale >= 1) return frame
  const width = Math.round(frame.width * scale)
  const height = Math.round(frame.height * scale)
  const values = new Uint8ClampedArray(3 * width * height)
  const [whole, place] = [
    { x: 0, y: 0, w: frame.width, h: frame.height },
    { x: 0, y: 0, w: width, h: height },
  ]
  sample(frame, whole, place, { values, width, height, colour: 'gbr', maximum: 255, fill: 0 })
  return rawFrame({ ...frame, width, height, planes: new Uint8Array(values.buffer) })
}
