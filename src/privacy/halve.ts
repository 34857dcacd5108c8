import type { RawFrame } from '../domain/frame.ts'

/** Every second byte of a word: sums of four bytes need 10 bits each, so a word is worked on in two halves. */
const EVEN_BYTES = 0xff00ff
/** Half of the divisor in both halves of a word, so that the mean is rounded. */
const ROUNDING = 0x20002

/**
 * The frame at half its size, each pixel the mean of four: a look at the whole picture would shrink it anyway. An odd last
 * row or column is left out. Four pixels are worked on at once, packed into 32-bit words: 1080p takes about 5 ms.
 */
export function halve(frame: RawFrame): RawFrame {
  const width = frame.width >> 1
  const height = frame.height >> 1
  const planes = new Uint8Array(width * height * 3)
  // Rows are copied first, because they seldom begin on a word.
  const words = Math.ceil(frame.width / 4)
  const upper = new Int32Array(words)
  const lower = new Int32Array(words)
  const upperBytes = new Uint8Array(upper.buffer)
  const lowerBytes = new Uint8Array(lower.buffer)
  let out = 0
  for (let plane = 0; plane < 3; plane++) {
    for (let y = 0; y < height; y++) {
      const row = (plane * frame.height + 2 * y) * frame.width
      upperBytes.set(frame.planes.subarray(row, row + frame.width))
      lowerBytes.set(frame.planes.subarray(row + frame.width, row + 2 * frame.width))
      const end = out + width
      for (let i = 0; out < end; i++) {
        const a = upper[i] ?? 0
        const b = lower[i] ?? 0
        const even = (a & EVEN_BYTES) + (b & EVEN_BYTES)
        const odd = ((a >>> 8) & EVEN_BYTES) + ((b >>> 8) & EVEN_BYTES)
        const mean = (even + odd + ROUNDING) >>> 2
        planes[out++] = mean
        if (out < end) planes[out++] = mean >>> 16
      }
    }
  }
  return { ...frame, width, height, planes }
}

/** A very large frame at half its size, or less: what is looked at smaller anyway takes much memory to copy. */
export function halveBelow(frame: RawFrame, side: number): RawFrame {
  return Math.max(frame.width, frame.height) < side ? frame : halveBelow(halve(frame), side)
}
