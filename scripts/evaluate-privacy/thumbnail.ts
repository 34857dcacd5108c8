import sharp from 'sharp'
import type { RawFrame } from '../../src/domain/frame.ts'
import type { PixelBox } from '../../src/domain/geometry.ts'
import type { Mask } from './tally.ts'

/** A part of a raw picture for the evaluator's eyes, and what was hidden in it. All in pixels of the picture. */
export interface Thumbnail {
  readonly part: PixelBox
  readonly jpeg: Buffer
  readonly masks: readonly PixelBox[]
}

/** An object is shown with this much of its size on each side, and with no less of the picture than this. */
const SURROUNDINGS = 1.5
const MIN_SIDE = 96
/** So that a report of many close-ups can still be opened. */
const MAX_SIDE = 400

/** Cuts out an object with its surroundings. */
export async function cutThumbnail(
  frame: RawFrame,
  object: PixelBox,
  masks: readonly Mask[],
): Promise<Thumbnail> {
  const side = (size: number, limit: number): number =>
    Math.min(limit, Math.round(Math.max(MIN_SIDE, size * (1 + 2 * SURROUNDINGS))))
  const [w, h] = [side(object.w, frame.width), side(object.h, frame.height)]
  const within = (value: number, limit: number): number => Math.min(limit, Math.max(0, Math.round(value)))
  const x = within(object.x + object.w / 2 - w / 2, frame.width - w)
  const y = within(object.y + object.h / 2 - h / 2, frame.height - h)
  const size = frame.width * frame.height
  const rgb = Buffer.alloc(w * h * 3)
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const from = (y + row) * frame.width + x + column
      const to = 3 * (row * w + column)
      rgb[to] = frame.planes[2 * size + from] ?? 0
      rgb[to + 1] = frame.planes[from] ?? 0
      rgb[to + 2] = frame.planes[size + from] ?? 0
    }
  }
  const jpeg = await sharp(rgb, { raw: { width: w, height: h, channels: 3 } })
    .resize(MAX_SIDE, MAX_SIDE, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 85 })
    .toBuffer()
  const part = { x, y, w, h }
  const inPixels = masks.map(({ box }) => ({
    ...{ x: box.x * frame.width, y: box.y * frame.height },
    ...{ w: box.w * frame.width, h: box.h * frame.height },
  }))
  return { part, jpeg, masks: inPixels.filter((mask) => meets(mask, part)) }
}

function meets(a: PixelBox, b: PixelBox): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
