import type { RawFrame } from '../domain/frame.ts'
import type { PixelBox } from '../domain/geometry.ts'
import { type CanvasValues, createRowMixer, spreadRows } from './rows.ts'
import { type Taps, tapsOf } from './taps.ts'

/** A planar network input to draw on. */
export interface Canvas<Values extends CanvasValues = Float32Array> {
  /** Three planes of `width * height` values. */
  readonly values: Values
  readonly width: number
  readonly height: number
  readonly colour: 'bgr' | 'rgb' | 'gbr'
  /** The value of a full-bright pixel. */
  readonly maximum: 1 | 255
  /** 0-255, for everything that the picture does not cover. */
  readonly fill: number
}

/** An empty canvas for a network with a square input. */
export function squareCanvas(
  size: number,
  {
    colour,
    maximum,
    letterbox,
  }: Pick<Canvas, 'colour' | 'maximum'> & { readonly letterbox?: { readonly fill: number } | undefined },
): Canvas {
  const values = new Float32Array(3 * size * size)
  return { values, width: size, height: size, colour, maximum, fill: letterbox?.fill ?? 0 }
}

/** Where the G, B and R planes of a frame go. */
const TARGET_PLANES = { bgr: [1, 0, 2], rgb: [1, 2, 0], gbr: [0, 1, 2] } as const

/**
 * Cuts `part` out of a frame, scales it to the pixels `place` of the canvas (whole numbers, inside it) and fills the rest.
 *
 * Averages over areas when it shrinks by more than 1.5, interpolates linearly otherwise. What of `part` lies outside
 * the picture becomes `fill`. On one core 1080p takes about 15 ms to 1280x720 and 10 ms to 640x360.
 */
export function sample(frame: RawFrame, part: PixelBox, place: PixelBox, canvas: Canvas<CanvasValues>): void {
  const across = tapsOf(part.x, part.w, place.w, frame.width)
  const down = tapsOf(part.y, part.h, place.h, frame.height)
  const gain = canvas.maximum / 255
  const size = canvas.width * canvas.height
  const covered = (across.to - across.from) * (down.to - down.from)
  if (covered < size) canvas.values.fill(canvas.fill * gain)
  if (covered === 0) return

  if (across.count === 1 && down.count === 1) {
    copyPixels(frame, part, place, canvas, across, down)
    return
  }
  const first = across.start[across.from] ?? 0
  const last = (across.start[across.to - 1] ?? 0) + across.count
  const mixer = createRowMixer(frame.width, first, last)
  const makeRow = (): Uint16Array => new Uint16Array(Math.ceil((last - first) / 4) * 4)
  const rows = [makeRow(), makeRow(), makeRow()] as const
  const area = frame.width * frame.height
  const planes = rows.map((_, plane) => frame.planes.subarray(plane * area, (plane + 1) * area))
  const [green, blue, red] = TARGET_PLANES[canvas.colour]
  for (let y = down.from; y < down.to; y++) {
    for (const [plane, row] of rows.entries()) {
      const source = planes[plane]
      if (source) mixer.mix(source, down, y, row)
    }
    const at = (place.y + y) * canvas.width + place.x
    spreadRows(
      rows,
      first,
      across,
      canvas.values,
      [green * size + at, blue * size + at, red * size + at],
      gain,
    )
  }
}

/** At its own size a picture needs no sums. */
function copyPixels(
  frame: RawFrame,
  part: PixelBox,
  place: PixelBox,
  canvas: Canvas<CanvasValues>,
  across: Taps,
  down: Taps,
): void {
  const gain = canvas.maximum / 255
  for (const [plane, target] of TARGET_PLANES[canvas.colour].entries()) {
    for (let y = down.from; y < down.to; y++) {
      const from = (plane * frame.height + part.y + y) * frame.width + part.x
      const to = (target * canvas.height + place.y + y) * canvas.width + place.x
      // Many times faster than one by one.
      if (gain === 1)
        canvas.values.set(frame.planes.subarray(from + across.from, from + across.to), to + across.from)
      else
        for (let x = across.from; x < across.to; x++)
          canvas.values[to + x] = (frame.planes[from + x] ?? 0) * gain
    }
  }
}

/**
 * Where a part goes in an input, as large as it fits, its shape kept.
 *
 * @returns whole pixels of the input; a point of the part maps by `place.w / part.w` and `place.h / part.h`
 */
export function fit(part: PixelBox, width: number, height: number, align: 'top-left' | 'centre'): PixelBox {
  const scale = Math.min(width / part.w, height / part.h)
  const w = Math.max(1, Math.min(width, Math.round(part.w * scale)))
  const h = Math.max(1, Math.min(height, Math.round(part.h * scale)))
  if (align === 'top-left') return { x: 0, y: 0, w, h }
  return { x: (width - w) >> 1, y: (height - h) >> 1, w, h }
}
