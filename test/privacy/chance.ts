/** The chance of at least `hits` of `trials`, each of which hits with `probability`, independent of each other. */
export function chanceOf(hits: number, trials: number, probability: number): number {
  let sum = 0
  let term = (1 - probability) ** trials
  for (let i = 0; i < trials + 1; i++) {
    if (i >= hits) sum += term
    term *= ((trials - i) / (i + 1)) * (probability / (1 - probability))
  }
  return sum
}

/** Random numbers of 0-1 that are the same in every run (mulberry32). */
export function repeatable(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
