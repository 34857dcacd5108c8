/** Repeatable chance. */
export interface Dice {
  /** 0 <= n < 1 */
  next(): number
  /** A whole number, from <= n <= to. */
  between(from: number, to: number): number
  pick<T>(from: readonly [T, ...T[]]): T
  /** True in this share of throws. */
  chance(share: number): boolean
  bytes(length: number): Buffer
}

/** Dice that fall the same way for the same seed (mulberry32; good enough to choose faults, not to make keys). */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    between,
    pick: (from) => from[between(0, from.length - 1)] ?? from[0],
    chance: (share) => next() < share,
    bytes: (length) => Buffer.from(Array.from({ length }, () => between(0, 255))),
  }
}
