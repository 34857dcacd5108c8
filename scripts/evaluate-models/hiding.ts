import { type Box, grow } from '../../src/domain/geometry.ts'
import type { LabelledImage } from './images.ts'

/** Heights of objects in pixels: from, and to before. */
export const HEIGHTS = [
  [0, 8],
  [8, 12],
  [12, 20],
  [20, 40],
  [40, Infinity],
] as const

/** A true box counts as hidden when at least this share of it is covered. */
const HIDDEN_SHARE = 0.9
/** Around a true object a mask is not in vain: it is this much larger than the object's box. */
const NEAR_GROWTH = 0.5

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
  const { width, height } = image.frame
  const covered = new Uint8Array(width * height)
  for (const mask of masks) paint(covered, width, height, mask)
  const truths = image.objects.filter((object) => object.kind === kind)
  for (const { box } of truths) {
    const isHidden = coveredShare(covered, width, height, box) >= HIDDEN_SHARE
    const heights = HEIGHTS.findIndex(([from, to]) => box.h >= from && box.h < to)
    for (const count of [hiding.byHeight[heights], image.isNight ? hiding.night : hiding.day]) {
      if (!count) continue
      count.all++
      if (isHidden) count.hidden++
    }
  }
  for (const { box } of truths) {
    const near = { x: box.x / width, y: box.y / height, w: box.w / width, h: box.h / height }
    paint(covered, width, height, grow(near, NEAR_GROWTH), 0)
  }
  hiding.masks += masks.length
  hiding.emptyShare += covered.reduce((sum, value) => sum + value, 0) / covered.length
  hiding.images++
  hiding.milliseconds += milliseconds
}

function paint(raster: Uint8Array, width: number, height: number, box: Box, value = 1): void {
  const left = Math.max(0, Math.floor(box.x * width))
  const right = Math.min(width, Math.ceil((box.x + box.w) * width))
  const bottom = Math.min(height, Math.ceil((box.y + box.h) * height))
  for (let y = Math.max(0, Math.floor(box.y * height)); y < bottom; y++) {
    if (right > left) raster.fill(value, y * width + left, y * width + right)
  }
}

function coveredShare(
  covered: Uint8Array,
  width: number,
  height: number,
  { x, y, w, h }: { x: number; y: number; w: number; h: number },
): number {
  const right = Math.min(width, Math.max(Math.round(x + w), Math.round(x) + 1))
  const bottom = Math.min(height, Math.max(Math.round(y + h), Math.round(y) + 1))
  let sum = 0
  let all = 0
  for (let row = Math.max(0, Math.round(y)); row < bottom; row++) {
    for (let column = Math.max(0, Math.round(x)); column < right; column++) {
      all++
      sum += covered[row * width + column] ?? 0
    }
  }
  return all === 0 ? 1 : sum / all
}
