import { hull, iou, type Box } from '../domain/geometry.ts'

/** Something that a network proposes, before overlapping proposals are dropped. */
export interface Proposal {
  readonly box: Box
  readonly score: number
}

/**
 * Keeps of overlapping proposals the surest (greedy non-maximum suppression); surest first.
 *
 * @param maxOverlap intersection over union above which two proposals mean the same thing
 * @param comparable whether two proposals can mean the same thing at all
 */
export function suppress<T extends Proposal>(
  proposals: readonly T[],
  maxOverlap: number,
  comparable: (a: T, b: T) => boolean = () => true,
): T[] {
  const kept: T[] = []
  for (const proposal of proposals.toSorted((a, b) => b.score - a.score)) {
    if (!kept.some((other) => comparable(other, proposal) && iou(other.box, proposal.box) > maxOverlap)) {
      kept.push(proposal)
    }
  }
  return kept
}

/** Proposals that are at least this share as sure as the surest say with it where a thing's edges may be. */
const EXTENT_SHARE = 0.7

/**
 * As `suppress`, and with each proposal that stays the box around it and those like it that were dropped: networks agree that
 * something is there before they agree on where it ends.
 */
export function suppressToExtents<T extends Proposal>(
  proposals: readonly T[],
  maxOverlap: number,
): (T & { readonly extent: Box })[] {
  const kept: { surest: T; extent: Box }[] = []
  for (const proposal of proposals.toSorted((a, b) => b.score - a.score)) {
    const place = kept.find(({ surest }) => iou(surest.box, proposal.box) > maxOverlap)
    if (!place) kept.push({ surest: proposal, extent: proposal.box })
    else if (proposal.score >= EXTENT_SHARE * place.surest.score)
      place.extent = hull(place.extent, proposal.box)
  }
  return kept.map(({ surest, extent }) => ({ ...surest, extent }))
}
