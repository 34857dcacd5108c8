import type { Region } from '../domain/evidence.ts'
import { type RawFrame, type RedactedImage, redactedImage } from '../domain/frame.ts'
import type { Box } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'

/** What hidden places become: one flat grey, the same everywhere, so that nothing of the pixels is left in it. */
const HIDDEN_GREY = 72

/**
 * The frame with every region destroyed: flat grey, no trace of what was there. The frame itself is not changed.
 *
 * @param regions boxes in 0-1 coordinates; parts outside the picture are ignored
 * @param extraRows black rows added below the picture, for a databar
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a region has no place
 */
export function redactFrame(frame: RawFrame, regions: readonly Region[], extraRows = 0): RedactedImage {
  const { width, height } = frame
  const rows = height + extraRows
  const planes = new Uint8Array(width * rows * 3)
  for (let plane = 0; plane < 3; plane++) {
    planes.set(
      frame.planes.subarray(plane * width * height, (plane + 1) * width * height),
      plane * width * rows,
    )
  }
  for (const region of regions) {
    const { left, top, right, bottom } = pixelsOf(region.box, width, height)
    for (let plane = 0; plane < 3; plane++) {
      for (let y = top; y < bottom; y++) {
        const row = plane * width * rows + y * width
        planes.fill(HIDDEN_GREY, row + left, row + right)
      }
    }
  }
  return redactedImage({ capturedAt: frame.capturedAt, width, height: rows, planes })
}

/**
 * A part of a redacted image, in its own pixels.
 *
 * @throws RangeError when the box has no pixel in the picture
 */
export function cutOut(image: RedactedImage, box: Box, pictureHeight = image.height): RedactedImage {
  const { left, top, right, bottom } = pixelsOf(box, image.width, pictureHeight)
  const width = right - left
  const height = bottom - top
  if (width < 1 || height < 1) throw new RangeError('the part to cut out lies outside the picture')
  const planes = new Uint8Array(width * height * 3)
  for (let plane = 0; plane < 3; plane++) {
    for (let y = 0; y < height; y++) {
      const from = plane * image.width * image.height + (top + y) * image.width + left
      planes.set(image.planes.subarray(from, from + width), plane * width * height + y * width)
    }
  }
  return redactedImage({ capturedAt: image.capturedAt, width, height, planes })
}

/** The pixels that a box touches, even with a corner of one: rounding never uncovers an edge. */
function pixelsOf(
  box: Box,
  width: number,
  height: number,
): { left: number; top: number; right: number; bottom: number } {
  // A comparison with NaN would leave the region open.
  if (![box.x, box.y, box.w, box.h].every(Number.isFinite)) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a region to hide has no place')
  }
  const within = (value: number, limit: number): number => Math.min(limit, Math.max(0, value))
  return {
    left: within(Math.floor(box.x * width), width),
    top: within(Math.floor(box.y * height), height),
    right: within(Math.ceil((box.x + box.w) * width), width),
    bottom: within(Math.ceil((box.y + box.h) * height), height),
  }
}
