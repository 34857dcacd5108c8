import type { PathPoint } from '../domain/track.ts'
import { withMore } from '../privacy/findings.ts'
import { type CheckedFrame, type SearchedFootage, joinSearched, planFootage } from './check.ts'
import type { Footage } from './footage.ts'
import type { SampledFrame } from './samples.ts'
import type { Leaks } from './verify.ts'

/** All footage of a violation, searched. */
export interface SearchedPieces {
  readonly footage: readonly Footage[]
  readonly searched: readonly SearchedFootage[]
  readonly after: Footage | undefined
  readonly searchedAfter: SearchedFootage | undefined
}

/** A piece of footage with what to hide in each of its frames. */
export interface PlannedPiece {
  readonly footage: Footage
  readonly checked: readonly CheckedFrame[]
  readonly samples: readonly SampledFrame[]
}

/** Plans all pieces, in the order of the clip; what goes on without a gap is planned together. */
export function planPieces(
  { footage, searched, after, searchedAfter }: SearchedPieces,
  path: readonly PathPoint[],
  maskOccupants: boolean,
): PlannedPiece[] {
  return footage.flatMap((piece, index) => {
    const own = searched[index]
    if (!own) return []
    const isLast = index === footage.length - 1
    if (!isLast || !after || !searchedAfter)
      return [{ footage: piece, checked: planFootage(own, path, maskOccupants), samples: own.samples }]
    const checked = planFootage(joinSearched(own, searchedAfter), path, maskOccupants)
    const cut = own.findings.length
    return [
      { footage: piece, checked: checked.slice(0, cut), samples: own.samples },
      { footage: after, checked: checked.slice(cut), samples: searchedAfter.samples },
    ]
  })
}

/** The same as if the first search had found what was found later. The samples have served then. */
export function withLeaks(pieces: SearchedPieces, leaks: Leaks): SearchedPieces {
  let first = 0
  const repaired = (own: SearchedFootage): SearchedFootage => {
    const start = first
    first += own.findings.length
    return {
      readings: own.readings,
      samples: [],
      findings: own.findings.map((findings, index) => withMore(findings, leaks.get(start + index) ?? [])),
    }
  }
  // In the order of the clip, which numbers the frames.
  const searched = pieces.searched.map(repaired)
  return { ...pieces, searched, searchedAfter: pieces.searchedAfter && repaired(pieces.searchedAfter) }
}
