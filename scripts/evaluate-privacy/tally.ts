import { type Box, grow } from '../../src/domain/geometry.ts'
import { HEIGHTS, HIDDEN_SHARE, NEAR_GROWTH } from '../evaluation/hiding.ts'
import type { TrueObject } from '../evaluation/images.ts'
import { coveredShare, emptyRaster, inShares, paint } from '../evaluation/raster.ts'

/** What has to be hidden; whatever else labels name is not counted. */
export const KINDS: readonly string[] = ['plate', 'face']

/** Why a place is hidden: something was found there, it must be there, or somebody may sit there. In order of precedence. */
export const SOURCES = ['found', 'inferred', 'windscreen'] as const
export type Source = (typeof SOURCES)[number]

/** A hidden place, as large as it is drawn, in 0-1 of the picture. */
export interface Mask {
  readonly box: Box
  readonly source: Source
}

/** How many were hidden, of how many. */
export interface Count {
  hidden: number
  all: number
}

/** How well pictures were hidden by one way of hiding. */
export interface Tally {
  /** By kind, one entry for each of `HEIGHTS`. */
  readonly byHeight: Map<string, Count[]>
  /** Sum over pictures of the share that was hidden where there is nothing to hide, by what hid it. */
  readonly inVain: Record<Source, number>
  pictures: number
  /** Pictures that were not given out at all, since something in them was found again; they are not among `pictures`. */
  refused: number
  megapixels: number
  milliseconds: number
}

export function emptyTally(): Tally {
  return {
    byHeight: new Map(),
    inVain: { found: 0, inferred: 0, windscreen: 0 },
    pictures: 0,
    refused: 0,
    megapixels: 0,
    milliseconds: 0,
  }
}

/**
 * Counts one picture. A true object counts as hidden by any mask, whatever the mask is for.
 *
 * @param size of the picture, pixels
 * @returns the objects that are not hidden, with the share of each that is covered, 0-1
 */
export function countPicture<T extends TrueObject>(
  tally: Tally,
  size: { readonly width: number; readonly height: number },
  objects: readonly T[],
  masks: readonly Mask[],
): { readonly object: T; readonly covered: number }[] {
  const raster = emptyRaster(size)
  // What was found comes last, so that it is not counted as inferred where both are.
  SOURCES.toReversed().forEach((source) => {
    for (const mask of masks) if (mask.source === source) paint(raster, mask.box, SOURCES.indexOf(source) + 1)
  })
  const wanted = objects.filter(({ kind }) => KINDS.includes(kind))
  const shares = wanted.map((object) => ({ object, covered: coveredShare(raster, object.box) }))
  for (const { object, covered } of shares) {
    const counts = tally.byHeight.get(object.kind) ?? HEIGHTS.map(() => ({ hidden: 0, all: 0 }))
    tally.byHeight.set(object.kind, counts)
    const count = counts[HEIGHTS.findIndex(([from, to]) => object.box.h >= from && object.box.h < to)]
    if (!count) continue
    count.all++
    if (covered >= HIDDEN_SHARE) count.hidden++
  }
  for (const { box } of wanted) paint(raster, grow(inShares(box, size), NEAR_GROWTH), 0)
  for (const value of raster.values) {
    const source = SOURCES[value - 1]
    if (source) tally.inVain[source] += 1 / raster.values.length
  }
  tally.pictures++
  tally.megapixels += (size.width * size.height) / 1e6
  return shares.filter(({ covered }) => covered < HIDDEN_SHARE)
}

/** Several ranges of heights together: those that begin at so many pixels or more. */
export function fromHeight(counts: readonly Count[], pixels: number): Count {
  const sum = { hidden: 0, all: 0 }
  counts.forEach(({ hidden, all }, i) => {
    if ((HEIGHTS[i]?.[0] ?? 0) < pixels) return
    sum.hidden += hidden
    sum.all += all
  })
  return sum
}

/** One object through a clip. */
export interface TrackTally {
  readonly kind: string
  readonly frames: TrackFrame[]
}

/** One object in one frame of a clip. */
export interface TrackFrame {
  readonly seconds: number
  /** Its height. */
  readonly pixels: number
  readonly isHidden: boolean
}

/** Notes one object of one frame of a clip. */
export function countTrack(
  tracks: Map<string, TrackTally>,
  { id, kind, box }: TrueObject & { readonly id: string },
  seconds: number,
  isHidden: boolean,
): void {
  if (!KINDS.includes(kind)) return
  const track = tracks.get(id) ?? { kind, frames: [] }
  tracks.set(id, track)
  track.frames.push({ seconds, pixels: box.h, isHidden })
}
