import type { RawFrame } from '../domain/frame.ts'
import type { PixelBox } from '../domain/geometry.ts'
import type { ModelEntry } from '../models/manifest.ts'
import { sample } from './sample.ts'
import type { ScaledPart } from './scaled-part.ts'

/** A buffer of bytes in planes, drawn anew for each run of a network. */
export interface Planes {
  /** The part as the network takes it; overwritten by the next call. */
  draw(frame: RawFrame, part: PixelBox, scaled: ScaledPart): Uint8Array
}

/** Makes the buffer; it grows to the largest part that is drawn. */
export function createPlanes({ colour, maximum, letterbox }: ModelEntry['input']): Planes {
  const fill = letterbox?.fill ?? 0
  let buffer = new Uint8ClampedArray(0)
  return {
    draw(frame, part, { width, height, place }) {
      const length = 3 * width * height
      if (buffer.length < length) buffer = new Uint8ClampedArray(length)
      sample(frame, part, place, { values: buffer.subarray(0, length), width, height, colour, maximum, fill })
      return new Uint8Array(buffer.buffer, 0, length)
    },
  }
}
