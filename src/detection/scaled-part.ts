import type { RawFrame } from '../domain/frame.ts'
import type { Box, PixelBox, Point } from '../domain/geometry.ts'

/** Networks that take any size halve it five times: width and height must be multiples of this. */
export const GRAIN = 32
/** They look for something in every cell of these sizes, pixels of their input. */
const STRIDES = [8, 16, 32] as const

/** Rows that our networks answer with: one a cell. */
export function cellsOf(width: number, height: number): number {
  return STRIDES.reduce((sum, stride) => sum + (width / stride) * (height / stride), 0)
}

/** A part of a frame at some scale, as input of a network that takes any size. */
export interface ScaledPart {
  /** Where the part lies in the input, pixels. */
  readonly place: PixelBox
  /** Of the input, pixels: the smallest that holds the part. */
  readonly width: number
  readonly height: number
  /** From pixels of the input to 0-1 of the whole frame. */
  readonly pointInFrame: (point: Point) => Point
  readonly boxInFrame: (box: PixelBox) => Box
}

/** Lays a part of a frame at `scale` times its size into the top left corner of a network's input. */
export function scalePart(
  frame: Pick<RawFrame, 'width' | 'height'>,
  part: PixelBox,
  scale: number,
): ScaledPart {
  const w = Math.max(1, Math.round(part.w * scale))
  const h = Math.max(1, Math.round(part.h * scale))
  const [across, down] = [part.w / w, part.h / h]
  const pointInFrame = ({ x, y }: Point): Point => ({
    x: (part.x + x * across) / frame.width,
    y: (part.y + y * down) / frame.height,
  })
  return {
    place: { x: 0, y: 0, w, h },
    width: Math.ceil(w / GRAIN) * GRAIN,
    height: Math.ceil(h / GRAIN) * GRAIN,
    pointInFrame,
    boxInFrame: (box) => ({
      ...pointInFrame(box),
      w: (box.w * across) / frame.width,
      h: (box.h * down) / frame.height,
    }),
  }
}
