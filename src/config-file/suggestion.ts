/** The one of `known` that `word` was probably meant to be, or undefined when none is near enough. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const bare = normalize(word)
  let nearest: string | undefined
  let best = Math.max(1, Math.floor(bare.length / 3)) + 1
  for (const candidate of known) {
    const edits = editDistance(bare, normalize(candidate))
    if (edits < best) {
      best = edits
      nearest = candidate
    }
  }
  return nearest
}

/** `limit_seconds`, `limit-seconds` and `limitSeconds` are the same word. */
function normalize(word: string): string {
  return word
    .slice(0, 64)
    .toLowerCase()
    .replace(/[\s_-]/g, '')
}

/** Levenshtein distance: single-letter insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
