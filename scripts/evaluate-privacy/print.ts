import { HEIGHTS } from '../evaluation/hiding.ts'
import type { Result } from './result.ts'
import { type Count, SOURCES, type Tally, type TrackTally, fromHeight } from './tally.ts'

const NAME_WIDTH = 50
const COLUMN_WIDTH = 16
/** Bars are about objects of these heights and more, pixels. */
const BARS = [12, 20]
/** Objects are followed through a clip as long as they have these heights: smaller ones show little that somebody could be known by. */
const TRACK_BARS = [12, 8]

/** The result as lines of text. */
export function linesOf({ title, tallies, tracks }: Result): string[] {
  const kinds = new Set([...tallies.values()].flatMap(({ byHeight }) => [...byHeight.keys()]))
  const heights = HEIGHTS.map(([from, to]) => (to === Infinity ? `${from}+ px` : `${from}-${to} px`))
  const lines = [title]
  for (const kind of kinds) {
    lines.push(row(`${kind}s hidden`, [...BARS.map((from) => `${from}+ px`), ...heights]))
    for (const [name, { byHeight }] of tallies) {
      const counts = byHeight.get(kind) ?? []
      const columns = [...BARS.map((from) => fromHeight(counts, from)), ...counts]
      lines.push(row(`  ${name}`, columns.map(shareOf)))
    }
  }
  lines.push(row('hidden in vain, share of the picture', ['all', ...SOURCES]))
  for (const [name, { inVain, pictures }] of tallies) {
    const shares = SOURCES.map((source) => inVain[source] / Math.max(1, pictures))
    const all = shares.reduce((sum, share) => sum + share, 0)
    lines.push(
      row(
        `  ${name}`,
        [all, ...shares].map((share) => `${(100 * share).toFixed(2)} %`),
      ),
    )
  }
  lines.push('time')
  for (const [name, tally] of tallies) lines.push(row(`  ${name}`, [speedOf(tally)]))
  for (const [name, { refused }] of tallies)
    if (refused > 0)
      lines.push(`${name} gave out nothing of ${refused} more, in which something was found again`)
  for (const [name, ofHider] of tracks ?? []) lines.push(...tracksOf(name, ofHider))
  return lines
}

function tracksOf(name: string, tracks: ReadonlyMap<string, TrackTally>): string[] {
  return TRACK_BARS.flatMap((bar) => {
    const large = [...tracks]
      .map(([id, { frames }]) => ({ id, frames: frames.filter(({ pixels }) => pixels >= bar) }))
      .filter(({ frames }) => frames.length > 0)
    const open = large.filter(({ frames }) => frames.some(({ isHidden }) => !isHidden))
    return [
      `${name}: ${open.length} of ${large.length} objects of ${bar} px and more have a frame that is not hidden`,
      ...open.map(({ id, frames }) => {
        const uncovered = frames.filter(({ isHidden }) => !isHidden)
        const first = uncovered[0]?.seconds.toFixed(1) ?? ''
        return `  ${id}: ${uncovered.length} of ${frames.length} frames, the first at ${first} s`
      }),
    ]
  })
}

function row(name: string, columns: readonly string[]): string {
  return name.padEnd(NAME_WIDTH) + columns.map((column) => column.padStart(COLUMN_WIDTH)).join('')
}

function shareOf({ hidden, all }: Count): string {
  return all === 0 ? '-' : `${((100 * hidden) / all).toFixed(1)} % of ${all}`
}

function speedOf({ milliseconds, megapixels }: Tally): string {
  return `${(milliseconds / Math.max(1e-6, megapixels)).toFixed(0)} ms/megapixel`
}
