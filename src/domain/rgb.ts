import type { Matrix } from './colour.ts'
import {
  type RawFrame,
  type RawVideoFrame,
  type RedactedImage,
  type RedactedVideoFrame,
  type VideoPixels,
  rawFrame,
  redactedImage,
} from './frame.ts'

/** Brightness and colour add up to 0-255 and this much more on each side. */
const ROOM = 320
const CLAMPED = Uint8Array.from({ length: 2 * ROOM + 256 }, (_, i) => Math.min(255, Math.max(0, i - ROOM)))
/** Green is the sum of two: in so many bits more. */
const BITS = 12

/**
 * A frame of a video as networks take it. Only some frames of a video are searched, so this costs less than having all of them
 * converted before they come.
 */
export function rawRgb(frame: RawVideoFrame): RawFrame {
  const { cameraId, sequence, capturedAt, width, height } = frame
  return rawFrame({ cameraId, sequence, capturedAt, width, height, planes: rgbOf(frame) })
}

/** A redacted frame of a video as a picture by itself. */
export function redactedRgb(frame: RedactedVideoFrame): RedactedImage {
  const { capturedAt, width, height } = frame
  return redactedImage({ capturedAt, width, height, planes: rgbOf(frame) })
}

/** Planes of green, blue and red. Four pixels are put together in 32-bit words, and all sums are looked up. */
function rgbOf({ width, height, matrix, planes: from }: VideoPixels): Uint8Array {
  const { light, redByV, greenByU, greenByV, blueByU } = TABLES[matrix]
  const size = width * height
  const half = Math.ceil(width / 2)
  const planes = new Uint8Array(3 * size)
  // Rows are copied into place, because they seldom begin on a word.
  const words = Math.ceil(width / 4)
  const [greens, blues, reds] = [new Uint32Array(words), new Uint32Array(words), new Uint32Array(words)]
  const rows = [greens, blues, reds].map((row) => new Uint8Array(row.buffer, 0, width))
  for (let y = 0; y < height; y++) {
    let at = y * width
    let u = size + (y >> 1) * half
    let v = u + half * Math.ceil(height / 2)
    for (let i = 0; i < words; i++) {
      // What lies beyond the end of a row is not copied. One by one: taking lists apart takes four times as long.
      const u0 = from[u++] ?? 0
      const u1 = from[u++] ?? 0
      const v0 = from[v++] ?? 0
      const v1 = from[v++] ?? 0
      const green0 = ((greenByU[u0] ?? 0) + (greenByV[v0] ?? 0)) >> BITS
      const green1 = ((greenByU[u1] ?? 0) + (greenByV[v1] ?? 0)) >> BITS
      const blue0 = blueByU[u0] ?? 0
      const blue1 = blueByU[u1] ?? 0
      const red0 = redByV[v0] ?? 0
      const red1 = redByV[v1] ?? 0
      const a = light[from[at++] ?? 0] ?? 0
      const b = light[from[at++] ?? 0] ?? 0
      const c = light[from[at++] ?? 0] ?? 0
      const d = light[from[at++] ?? 0] ?? 0
      greens[i] = packed(a + green0, b + green0, c + green1, d + green1)
      blues[i] = packed(a + blue0, b + blue0, c + blue1, d + blue1)
      reds[i] = packed(a + red0, b + red0, c + red1, d + red1)
    }
    rows.forEach((row, plane) => planes.set(row, plane * size + y * width))
  }
  return planes
}

function packed(a: number, b: number, c: number, d: number): number {
  const low = (CLAMPED[a] ?? 0) | ((CLAMPED[b] ?? 0) << 8)
  return low | ((CLAMPED[c] ?? 0) << 16) | ((CLAMPED[d] ?? 0) << 24)
}

/** What each value of Y, U or V adds. */
interface Tables {
  readonly light: Int16Array
  readonly redByV: Int16Array
  readonly blueByU: Int16Array
  /** In `BITS` more bits, with the rounding. */
  readonly greenByU: Int32Array
  readonly greenByV: Int32Array
}

const TABLES: Readonly<Record<Matrix, Tables>> = {
  bt709: tablesOf(0.2126, 0.0722),
  smpte170m: tablesOf(0.299, 0.114),
  bt470bg: tablesOf(0.299, 0.114),
  smpte240m: tablesOf(0.212, 0.087),
  fcc: tablesOf(0.3, 0.11),
  bt2020nc: tablesOf(0.2627, 0.0593),
}

/** @param red and blue: how much of them is in the brightness, ITU-T H.273, table 4 */
function tablesOf(red: number, blue: number): Tables {
  const green = 1 - red - blue
  const values = Array.from({ length: 256 }, (_, i) => i)
  const colour = (by: number) => (value: number) => Math.round(((value - 128) * 255 * by) / 224)
  const inBits = (by: number, rounding: number) => (value: number) =>
    Math.round((((value - 128) * 255 * by) / 224) * 2 ** BITS + rounding)
  return {
    light: Int16Array.from(values, (value) => ROOM + Math.round(((value - 16) * 255) / 219)),
    redByV: Int16Array.from(values, colour(2 * (1 - red))),
    blueByU: Int16Array.from(values, colour(2 * (1 - blue))),
    greenByU: Int32Array.from(values, inBits((-2 * (1 - blue) * blue) / green, 2 ** (BITS - 1))),
    greenByV: Int32Array.from(values, inBits((-2 * (1 - red) * red) / green, 0)),
  }
}
