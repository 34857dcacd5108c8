import { type Box, grow } from '../../src/domain/geometry.ts'
import type { LabelledImage } from './images.ts'
import { coveredShare, emptyRaster, inShares, paint } from './raster.ts'

/** Heights of objects in pixels: from, and to before. */
export const HEIGHTS = [
  [0, 8],
  [8, 12],
  [12, 20],
  [20, 40],
  [40, Infinity],
] as const

/** A true box counts as hidden when at least this share of it is covered. */
export const HIDDEN_SHARE = 0.9
/** Around a true object a mask is not in vain: it is this much larger than the object's box. */
export const NEAR_GROWTH = 0.5

/** How well the objects of one class are hidden, over a set of images. */
export interface Hiding {
  /** Hidden and all, one entry for each of `HEIGHTS`. */
  readonly byHeight: { hidden: number; all: number }[]
  readonly day: { hidden: number; all: number }
  readonly night: { hidden: number; all: number }
  masks: number
  /** Sum over images of the share of the image that is hidden where there is nothing to hide. */
  emptyShare: number
  images: number
  milliseconds: number
}

export function emptyHiding(): Hiding {
  const none = (): { hidden: number; all: number } => ({ hidden: 0, all: 0 })
  return {
    byHeight: HEIGHTS.map(none),
    day: none(),
    night: none(),
    masks: 0,
    emptyShare: 0,
    images: 0,
    milliseconds: 0,
  }
}

/**
 * Counts one image.
 *
 * @param kind of the objects that should be hidden
 * @param masks in 0-1 of the image, as large as they are drawn
 */
export function countImage(
  hiding: Hiding,
  image: LabelledImage,
  kind: string,
  masks: readonly Box[],
  milliseconds: number,
): void {
  const covered = emptyRaster(image.frame)
  for (const mask of masks) paint(covered, mask)
  const truths = image.objects.filter((object) => object.kind === kind)
  for (const { box } of truths) {
    const isHidden = coveredShare(covered, box) >= HIDDEN_SHARE
    const heights = HEIGHTS.findIndex(([from, to]) => box.h >= from && box.h < to)
    for (const count of [hiding.byHeight[heights], image.isNight ? hiding.night : hiding.day]) {
      if (!count) continue
      count.all++
      if (isHidden) count.hidden++
    }
  }
  for (const { box } of truths) paint(covered, grow(inShares(box, image.frame), NEAR_GROWTH), 0)
  hiding.masks += masks.length
  hiding.emptyShare += covered.values.reduce((sum, value) => sum + value, 0) / covered.values.length
  hiding.images++
  hiding.milliseconds += milliseconds
}
