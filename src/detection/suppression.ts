import { iou, type Box } from '../domain/geometry.ts'

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
