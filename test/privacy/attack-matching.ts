import { type Patch, type Picture, likeness, meanOf, straightenChannel } from './attack-images.ts'
import { FIRST_HALF, SECOND_HALF, type Target } from './attack-scene.ts'
import type { RawFrame } from '../../src/domain/frame.ts'

/** Sizes of faces and plates that are compared, pixels: fine structure, coarse structure, light and shade. */
export const SIZES = {
  plate: [
    [64, 14],
    [32, 7],
    [16, 4],
  ],
  face: [
    [34, 42],
    [17, 21],
    [8, 10],
  ],
} as const

/**
 * Which of all unhidden pictures of the second half of the time each picture of the first half is most like. Gives how many are most
 * like themselves; where several are as like, each counts for its part.
 */
export function match(
  wanted: readonly Target[],
  frames: readonly RawFrame[],
  pictures: readonly Picture[],
  [width, height]: readonly [number, number],
): number {
  const seen = (from: readonly Picture[], half: readonly number[], { places }: Target): Patch =>
    meanOf(
      half.flatMap((i) => {
        const [picture, place] = [from[i], places[i]]
        return picture && place ? [straightenChannel(picture, place, width, height, 'luma')] : []
      }),
    )
  const known = wanted.map((target) => seen(frames, SECOND_HALF, target))
  return wanted.reduce((sum, target, own) => {
    const probe = seen(pictures, FIRST_HALF, target)
    const likenesses = known.map((other) => likeness(probe, other))
    const best = Math.max(...likenesses)
    const equals = likenesses.filter((value) => value > best - 1e-9).length
    return sum + ((likenesses[own] ?? 0) > best - 1e-9 ? 1 / equals : 0)
  }, 0)
}

/** Those of a kind that are there in both halves. */
export function lasting(wanted: readonly Target[]): Target[] {
  return wanted.filter(({ places }) => places.every((place) => place !== undefined))
}
