/** Columns as wide as their widest cell, two spaces between; numbers to the right. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => String(row[i] ?? '').length)),
  )
  const line = (cells: readonly (string | number)[]): string =>
    cells
      .map((cell, i) =>
        typeof cell === 'number' ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const titles = header.map((title, i) =>
    rows.length > 0 && typeof rows[0]?.[i] === 'number' ? title.padStart(widths[i] ?? 0) : title,
  )
  return [line(titles), ...rows.map(line)]
}

/** `2026-03-01 06:00:00Z`, or a dash. */
export function timeText(instant: string | null): string {
  return instant === null ? '-' : `${instant.slice(0, 19).replace('T', ' ')}Z`
}

/** `812 KB`, `3.5 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.ceil(bytes / 1000)} KB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}

/** `1 camera`, `2 cameras`, `no rules`. */
export function countText(count: number, word: string): string {
  return `${count === 0 ? 'no' : count} ${word}${count === 1 ? '' : 's'}`
}

/** The text in lines of at most 96 columns, the first with `mark` before it and the others as far to the right. */
export function wrapped(text: string, mark: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && mark.length + line.length + word.length >= 96) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line, i) => (i === 0 ? mark : ' '.repeat(mark.length)) + line)
}
