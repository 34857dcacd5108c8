import { inflateSync } from 'node:zlib'
import type { EpochMs, RedactedVideoFrame } from '../domain/frame.ts'
import { FONT } from './databar-font.ts'

/** What the bar under every picture says. */
export interface DatabarText {
  readonly site: string
  readonly camera: string
  readonly capturedAt: EpochMs
  readonly frameNumber: number
}

const COVERAGE = inflateSync(Buffer.from(FONT.data, 'base64'))
/** Of black and of the brightest ink, as brightness is coded. */
const [BLACK, INK] = [16, 218] as const

/** Rows of the databar under a picture of this width, pixels; even, so that video encoders take it. */
export function databarRows(width: number): number {
  return 2 * Math.max(9, Math.round(width / 96))
}

/** One line: site, camera, UTC time to the millisecond, frame number. */
export function databarLine({ site, camera, capturedAt, frameNumber }: DatabarText): string {
  return `${site}  ${camera}  ${new Date(capturedAt).toISOString()}  #${String(frameNumber).padStart(6, '0')}`
}

/** Writes the databar, white, into the lowest `databarRows` rows of the frame, which redaction left black. */
export function drawDatabar(image: RedactedVideoFrame, text: DatabarText): void {
  const rows = databarRows(image.width)
  const line = databarLine(text)
  const margin = Math.round(rows / 4)
  // As large as the bar allows, but never wider than the picture.
  const scale = Math.min(
    (rows - 2) / FONT.cellHeight,
    (image.width - 2 * margin) / (line.length * FONT.cellWidth),
  )
  const width = Math.min(image.width - margin, Math.floor(line.length * FONT.cellWidth * scale))
  const height = Math.floor(FONT.cellHeight * scale)
  const top = image.height - rows + Math.floor((rows - height) / 2)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const coverage = coverageAt(line, (x + 0.5) / scale, (y + 0.5) / scale, 1 / scale)
      image.planes[(top + y) * image.width + margin + x] = Math.round(BLACK + (INK - BLACK) * coverage)
    }
  }
}

/** Mean coverage, 0-1, of a `size`-wide square of the line's cells around a point. */
function coverageAt(line: string, x: number, y: number, size: number): number {
  const steps = Math.max(1, Math.ceil(size))
  let sum = 0
  for (let i = 0; i < steps; i++) {
    for (let j = 0; j < steps; j++) {
      const column = Math.floor(x + ((i + 0.5) / steps - 0.5) * size)
      const row = Math.floor(y + ((j + 0.5) / steps - 0.5) * size)
      sum += glyphPixel(line, column, row)
    }
  }
  return sum / (steps * steps)
}

function glyphPixel(line: string, column: number, row: number): number {
  const code = line.charCodeAt(Math.floor(column / FONT.cellWidth)) - FONT.firstCode
  if (!(code >= 0 && code < FONT.glyphs) || row < 0 || row >= FONT.cellHeight) return 0
  const pixel = (code * FONT.cellHeight + row) * FONT.cellWidth + (column % FONT.cellWidth)
  const pair = COVERAGE[pixel >> 1] ?? 0
  return (pixel % 2 === 0 ? pair >> 4 : pair & 15) / 15
}
