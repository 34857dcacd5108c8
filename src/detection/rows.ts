import { WHOLE, type Taps } from './taps.ts'

/** What networks take: floats, or bytes, which round and clamp what is written to them. */
export type CanvasValues = Float32Array | Uint8ClampedArray

/** Source rows summed into one, 16 bits a column: up to 255 * `WHOLE`. */
export type SummedRow = Uint16Array

/** Sums weighted source rows. */
export interface RowMixer {
  /**
   * Sums the rows of target row `y` into `row`, for the columns that the mixer was made for.
   *
   * @param plane the whole source plane
   */
  mix(plane: Uint8Array, taps: Taps, y: number, row: SummedRow): void
}

/** Every second byte of a word: sums of weighted bytes need 16 bits each, so a word is worked on in two halves. */
const EVEN_BYTES = 0xff00ff

/**
 * Makes a mixer for the columns `first` to before `last` of a plane `width` pixels wide. It works on four pixels at once,
 * packed into 32-bit words, which is twice as fast as one by one.
 */
export function createRowMixer(width: number, first: number, last: number): RowMixer {
  const columns = last - first
  const words = Math.ceil(columns / 4)
  // Rows are copied first, because they seldom begin on a word.
  const bytesA = new Uint8Array(words * 4)
  const bytesB = new Uint8Array(words * 4)
  const wordsA = new Int32Array(bytesA.buffer)
  const wordsB = new Int32Array(bytesB.buffer)

  return {
    mix(plane, taps, y, row) {
      const top = taps.start[y] ?? 0
      for (let tap = 0; tap < taps.count; tap += 2) {
        const weightA = taps.weights[y * taps.count + tap] ?? 0
        const weightB = tap + 1 < taps.count ? (taps.weights[y * taps.count + tap + 1] ?? 0) : 0
        const a = (top + tap) * width + first
        bytesA.set(plane.subarray(a, a + columns))
        if (weightB !== 0) bytesB.set(plane.subarray(a + width, a + width + columns))
        if (tap === 0) setRows(wordsA, wordsB, weightA, weightB, row)
        else if (weightA !== 0 || weightB !== 0) addRows(wordsA, wordsB, weightA, weightB, row)
      }
    },
  }
}

function setRows(a: Int32Array, b: Int32Array, weightA: number, weightB: number, row: SummedRow): void {
  for (let i = 0, x = 0; i < a.length; i++, x += 4) {
    const p = a[i] ?? 0
    const q = b[i] ?? 0
    const even = Math.imul(p & EVEN_BYTES, weightA) + Math.imul(q & EVEN_BYTES, weightB)
    const odd = Math.imul((p >>> 8) & EVEN_BYTES, weightA) + Math.imul((q >>> 8) & EVEN_BYTES, weightB)
    row[x] = even
    row[x + 1] = odd
    row[x + 2] = even >>> 16
    row[x + 3] = odd >>> 16
  }
}

function addRows(a: Int32Array, b: Int32Array, weightA: number, weightB: number, row: SummedRow): void {
  for (let i = 0, x = 0; i < a.length; i++, x += 4) {
    const p = a[i] ?? 0
    const q = b[i] ?? 0
    const even = Math.imul(p & EVEN_BYTES, weightA) + Math.imul(q & EVEN_BYTES, weightB)
    const odd = Math.imul((p >>> 8) & EVEN_BYTES, weightA) + Math.imul((q >>> 8) & EVEN_BYTES, weightB)
    row[x] = (row[x] ?? 0) + even
    row[x + 1] = (row[x + 1] ?? 0) + odd
    row[x + 2] = (row[x + 2] ?? 0) + (even >>> 16)
    row[x + 3] = (row[x + 3] ?? 0) + (odd >>> 16)
  }
}

/**
 * Sums the columns of each target pixel, for three planes at once.
 *
 * @param rows summed rows that begin with source column `first`
 * @param at where target column 0 of each plane lies in `values`
 * @param gain what a byte's value is worth
 */
export function spreadRows(
  rows: readonly [SummedRow, SummedRow, SummedRow],
  first: number,
  taps: Taps,
  values: CanvasValues,
  at: readonly [number, number, number],
  gain: number,
): void {
  const { count, start, weights, from, to } = taps
  const [rowA, rowB, rowC] = rows
  const [atA, atB, atC] = at
  const unit = gain / (WHOLE * WHOLE)
  if (count === 2) {
    for (let i = from; i < to; i++) {
      const left = (start[i] ?? 0) - first
      const v = (weights[2 * i] ?? 0) * unit
      const w = (weights[2 * i + 1] ?? 0) * unit
      values[atA + i] = (rowA[left] ?? 0) * v + (rowA[left + 1] ?? 0) * w
      values[atB + i] = (rowB[left] ?? 0) * v + (rowB[left + 1] ?? 0) * w
      values[atC + i] = (rowC[left] ?? 0) * v + (rowC[left + 1] ?? 0) * w
    }
    return
  }
  for (let i = from; i < to; i++) {
    const left = (start[i] ?? 0) - first
    let a = 0
    let b = 0
    let c = 0
    for (let tap = 0; tap < count; tap++) {
      const weight = weights[i * count + tap] ?? 0
      a += Math.imul(rowA[left + tap] ?? 0, weight)
      b += Math.imul(rowB[left + tap] ?? 0, weight)
      c += Math.imul(rowC[left + tap] ?? 0, weight)
    }
    values[atA + i] = a * unit
    values[atB + i] = b * unit
    values[atC + i] = c * unit
  }
}
