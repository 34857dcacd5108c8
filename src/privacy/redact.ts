import type { Region } from '../domain/evidence.ts'
import {
  type RawFrame,
  type RawVideoFrame,
  type RedactedImage,
  type RedactedVideoFrame,
  redactedImage,
  redactedVideoFrame,
  videoFrameBytes,
} from '../domain/frame.ts'
import type { Box } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import { type PixelEdges, fill, pixelate, soften } from './pixelate.ts'
import { type Plane, rgbPlanes, videoPlanes } from './planes.ts'

/** How hidden places look. Evidence is always solid; the others are for pictures that people are to look at. */
export const STYLES = ['solid', 'pixelate', 'blur'] as const
export type Style = (typeof STYLES)[number]

/** What hidden places become: one flat grey, the same everywhere, so that nothing of the pixels is left in it. */
const HIDDEN_GREY = [72, 72, 72] as const

const BLACK = [0, 0, 0] as const

/**
 * The frame with every region destroyed; the frame itself is not changed. `solid` leaves no trace of what was there, the
 * other styles no more than a region's mean colour, see pixelate.ts.
 *
 * @param regions boxes in 0-1 coordinates; parts outside the picture are ignored
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a region has no place
 */
export function redactFrame(
  frame: RawFrame,
  regions: readonly Region[],
  { style = 'solid' }: { readonly style?: Style } = {},
): RedactedImage {
  const { capturedAt, width, height } = frame
  const planes = frame.planes.slice()
  hide(rgbPlanes(planes, width, height), frame, regions, style)
  return redactedImage({ capturedAt, width, height, planes })
}

/**
 * The same for a frame of a video. A value of its colours stands for four pixels: all four are hidden where a region touches one.
 *
 * @param extraRows black rows added below the picture, for a databar; an even number
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a region has no place
 */
export function redactVideoFrame(
  frame: RawVideoFrame,
  regions: readonly Region[],
  { extraRows = 0, style = 'solid' }: { readonly extraRows?: number; readonly style?: Style } = {},
): RedactedVideoFrame {
  const { format, matrix, capturedAt, width, height } = frame
  const size = { width, height: height + extraRows }
  const planes = extraRows > 0 ? withRows(frame, extraRows) : frame.planes.slice()
  hide(videoPlanes(planes, size.width, size.height), frame, regions, style)
  return redactedVideoFrame({ format, matrix, capturedAt, ...size, planes })
}

/** Planes of a frame of a video, with black rows below. */
function withRows({ width, height, planes: from }: RawVideoFrame, rows: number): Uint8Array {
  const size = { width, height: height + rows }
  const planes = new Uint8Array(videoFrameBytes(size))
  const whole = videoPlanes(from, width, height)
  videoPlanes(planes, size.width, size.height).forEach(({ values, valueOf }, i) => {
    const picture = whole[i]?.values ?? new Uint8Array(0)
    values.set(picture)
    values.fill(valueOf(BLACK), picture.length)
  })
  return planes
}

function hide(
  planes: readonly Plane[],
  { width, height }: { readonly width: number; readonly height: number },
  regions: readonly Region[],
  style: Style,
): void {
  const step = Math.max(...planes.map((plane) => plane.step))
  for (const { box } of regions) {
    const place = pixelsOf(box, width, height, step)
    if (style === 'solid') for (const plane of planes) fill(plane, place, plane.valueOf(HIDDEN_GREY))
    else pixelate(planes, place)
    // Never alone: what is blurred is what the cells have left.
    if (style === 'blur') soften(planes, place)
  }
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

/** The pixels that a box touches, even with a corner of one, or the groups of them: rounding never uncovers an edge. */
function pixelsOf(box: Box, width: number, height: number, step = 1): PixelEdges {
  // A comparison with NaN would leave the region open.
  if (![box.x, box.y, box.w, box.h].every(Number.isFinite)) {
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a region to hide has no place')
  }
  const within = (value: number, limit: number): number => Math.min(limit, Math.max(0, value))
  const first = (at: number): number => Math.floor(at / step) * step
  const last = (at: number): number => Math.ceil(at / step) * step
  return {
    left: within(first(box.x * width), width),
    top: within(first(box.y * height), height),
    right: within(last((box.x + box.w) * width), width),
    bottom: within(last((box.y + box.h) * height), height),
  }
}
