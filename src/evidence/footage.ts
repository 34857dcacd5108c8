import { decodeFrames, decodeVideoFrames } from '../camera/decode.ts'
import type { PacketClip } from '../camera/packet-ring.ts'
import type { RawFrame, RawVideoFrame } from '../domain/frame.ts'
import type { Span } from './spans.ts'

/** One piece of video of a violation. Every call decodes the same frames afresh. */
export interface Footage {
  readonly span: Span
  /** To be searched. */
  frames(signal: AbortSignal): AsyncIterable<RawFrame>
  /** To be redacted and encoded again. */
  videoFrames(signal: AbortSignal): AsyncIterable<RawVideoFrame>
}

/** The part of a recording that lies in a span of time. */
export function footageOf(
  clip: PacketClip,
  span: Span,
  { fps, cameraId }: { readonly fps: number; readonly cameraId: string },
): Footage {
  const options = { fps, from: span.from, to: span.to, cameraId }
  return {
    span,
    frames: (signal) => decodeFrames(clip, options, signal),
    videoFrames: (signal) => decodeVideoFrames(clip, options, signal),
  }
}
