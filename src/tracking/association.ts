import { type Box, centre, iou } from '../domain/geometry.ts'

/** How alike a track's predicted box and a detection must be to be the same object, 0-1. */
const MIN_AFFINITY = 0.05

/** An object that is small or fast may jump this many of its own sizes between two frames. */
const MAX_JUMP_SIZES = 0.8

export interface Pairing<T, D> {
  readonly pairs: readonly (readonly [T, D])[]
  readonly restTracks: readonly T[]
  readonly restDetections: readonly D[]
}

/**
 * Pairs tracks with detections, the most alike first. Greedy instead of optimal: with boxes of whole vehicles the two
 * differ only where both are guesses.
 *
 * @param mayMatch whether the two can be the same kind of thing at all
 */
export function associate<T extends { readonly expected: Box }, D extends { readonly box: Box }>(
  tracks: readonly T[],
  detections: readonly D[],
  mayMatch: (track: T, detection: D) => boolean,
): Pairing<T, D> {
  const candidates = tracks.flatMap((track) =>
    detections
      .filter((detection) => mayMatch(track, detection))
      .map((detection) => ({ track, detection, affinity: affinity(track.expected, detection.box) })),
  )
  candidates.sort((a, b) => b.affinity - a.affinity)
  const tracksLeft = new Set(tracks)
  const detectionsLeft = new Set(detections)
  const pairs: (readonly [T, D])[] = []
  for (const { track, detection, affinity } of candidates) {
    if (affinity < MIN_AFFINITY) break
    if (!tracksLeft.has(track) || !detectionsLeft.has(detection)) continue
    tracksLeft.delete(track)
    detectionsLeft.delete(detection)
    pairs.push([track, detection])
  }
  return { pairs, restTracks: [...tracksLeft], restDetections: [...detectionsLeft] }
}

/** Overlap where there is enough of it; nearness, worth less than any overlap, for boxes of one size that just miss. */
function affinity(expected: Box, box: Box): number {
  const overlap = iou(expected, box)
  if (overlap > 0.15) return overlap
  const sizeRatio = (expected.w * expected.h) / (box.w * box.h)
  if (sizeRatio > 2.5 || sizeRatio < 0.4) return 0
  const a = centre(expected)
  const b = centre(box)
  const sizes = Math.hypot(
    (a.x - b.x) / Math.max(expected.w, box.w),
    (a.y - b.y) / Math.max(expected.h, box.h),
  )
  return sizes < MAX_JUMP_SIZES ? 0.15 * (1 - sizes / MAX_JUMP_SIZES) : 0
}
