import { inflateSync } from 'node:zlib'
import type { Region } from '../domain/evidence.ts'
import type { RedactedImage, RedactedVideoFrame } from '../domain/frame.ts'
import { FONT } from '../evidence/databar-font.ts'
import { type Colour, type Plane, rgbPlanes, videoPlanes } from '../privacy/planes.ts'
import { type PixelPlace, placeOf } from './record.ts'

/** One colour a kind, bright enough for the grey of what is hidden and for a street: R, G, B. */
const COLOURS: Readonly<Record<Region['kind'], Colour>> = {
  face: [255, 80, 80],
  head: [255, 170, 60],
  plate: [70, 200, 255],
  'plate-area': [120, 140, 255],
  windscreen: [110, 230, 110],
}

const COVERAGE = inflateSync(Buffer.from(FONT.data, 'base64'))

/** Outlines what was hidden and names its kind and why; what is beneath is redacted already. */
export function drawPreview(image: RedactedImage | RedactedVideoFrame, regions: readonly Region[]): void {
  const { planes, width: across, height: down } = image
  const canvas = 'format' in image ? videoPlanes(planes, across, down) : rgbPlanes(planes, across, down)
  const line = Math.max(1, Math.round(across / 960))
  const scale = Math.max(0.4, across / 3200)
  for (const { kind, source, box } of regions) {
    const { x, y, width, height } = placeOf(box, image)
    const colour = COLOURS[kind]
    for (const side of [
      { x, y, width, height: line },
      { x, y: y + height - line, width, height: line },
      { x, y, width: line, height },
      { x: x + width - line, y, width: line, height },
    ])
      paint(canvas, image, side, colour)
    write(canvas, image, `${kind} ${source}`, { x: x + 2 * line, y: y + 2 * line }, scale, colour)
  }
}

interface Size {
  readonly width: number
  readonly height: number
}

function paint(
  canvas: readonly Plane[],
  size: Size,
  { x, y, width, height }: PixelPlace,
  colour: Colour,
): void {
  for (let row = Math.max(0, y); row < Math.min(size.height, y + height); row++) {
    for (let column = Math.max(0, x); column < Math.min(size.width, x + width); column++)
      set(canvas, column, row, colour, 1)
  }
}

function write(
  canvas: readonly Plane[],
  size: Size,
  text: string,
  at: { readonly x: number; readonly y: number },
  scale: number,
  colour: Colour,
): void {
  const width = Math.floor(text.length * FONT.cellWidth * scale)
  const height = Math.floor(FONT.cellHeight * scale)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const ink = inkAt(text, Math.floor((x + 0.5) / scale), Math.floor((y + 0.5) / scale))
      if (ink > 0 && at.x + x < size.width && at.y + y < size.height)
        set(canvas, at.x + x, at.y + y, colour, ink)
    }
  }
}

/** Coverage of the text's cells at a point of theirs, 0-1. */
function inkAt(text: string, column: number, row: number): number {
  const letter = text.charCodeAt(Math.floor(column / FONT.cellWidth)) - FONT.firstCode
  const pixel = (letter * FONT.cellHeight + row) * FONT.cellWidth + (column % FONT.cellWidth)
  const pair = COVERAGE[pixel >> 1] ?? 0
  return (pixel % 2 === 0 ? pair >> 4 : pair & 15) / 15
}

function set(canvas: readonly Plane[], x: number, y: number, colour: Colour, ink: number): void {
  for (const { values, width, step, valueOf } of canvas) {
    const i = Math.floor(y / step) * width + Math.floor(x / step)
    values[i] = Math.round((values[i] ?? 0) * (1 - ink) + valueOf(colour) * ink)
  }
}
