/** For each target pixel of one axis the source pixels that it is made of: `count` from `start`, with their weights. */
export interface Taps {
  readonly count: number
  readonly start: Int32Array
  /** `count` for each target pixel; they add up to `WHOLE`. */
  readonly weights: Int32Array
  /** First target pixel that lies in the picture, and the first after them. */
  readonly from: number
  readonly to: number
}

/** Weights are 256ths: a weighted sum of bytes fits 16 bits. */
export const WHOLE = 256

/** Above this the source is averaged over the whole area of a target pixel, so that nothing small falls between taps. */
const AVERAGE_FROM = 1.5

/**
 * How `length` source pixels from `offset` on become `targets` target pixels, in a picture of `sources` pixels.
 *
 * Averages over areas when it shrinks by more than 1.5, interpolates linearly otherwise; beyond the picture's edge its
 * edge pixel stands in. Target pixels whose middle lies outside the picture are left out.
 */
export function tapsOf(offset: number, length: number, targets: number, sources: number): Taps {
  const step = length / targets
  const average = step > AVERAGE_FROM
  const copy = step === 1 && Number.isInteger(offset)
  const count = Math.min(sources, average ? Math.ceil(step) + 1 : copy ? 1 : 2)
  const start = new Int32Array(targets)
  const weights = new Int32Array(targets * count)
  const shares = new Float64Array(count)
  let from = targets
  let to = 0
  for (let i = 0; i < targets; i++) {
    const middle = offset + (i + 0.5) * step
    if (middle < 0 || middle >= sources) continue
    from = Math.min(from, i)
    to = i + 1
    const low = average ? middle - step / 2 : middle - 0.5
    const begin = Math.floor(low)
    const end = average ? Math.ceil(low + step) : begin + (copy ? 1 : 2)
    const kept = Math.min(Math.max(begin, 0), sources - count)
    start[i] = kept
    shares.fill(0)
    for (let pixel = begin; pixel < end; pixel++) {
      const share = average
        ? (Math.min(pixel + 1, low + step) - Math.max(pixel, low)) / step
        : 1 - Math.abs(pixel - low)
      const tap = Math.min(Math.max(pixel - kept, 0), count - 1)
      shares[tap] = (shares[tap] ?? 0) + share
    }
    round(shares, weights, i * count)
  }
  return { count, start, weights, from, to: Math.max(from, to) }
}

/** Rounds shares of 1 to whole weights, what was rounded away carried on, so that the weights add up to `WHOLE`. */
function round(shares: Float64Array, weights: Int32Array, at: number): void {
  let sum = 0
  let given = 0
  for (const [tap, share] of shares.entries()) {
    sum += share
    const weight = Math.round(sum * WHOLE) - given
    weights[at + tap] = weight
    given += weight
  }
}
