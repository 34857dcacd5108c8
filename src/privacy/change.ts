import type { RawFrame, RawVideoFrame } from '../domain/frame.ts'

/** The light of a picture in small, row by row. */
export interface Thumbnail {
  /** As of the picture. */
  readonly capturedAt: number
  readonly columns: number
  readonly rows: number
  readonly cells: Uint8Array
}

/** Cells along the longer side: of 1080p each is 12 pixels wide. */
const CELLS = 160
const MIN_CELL_PIXELS = 2
/** Light is taken at so many places in each row and column of a cell. */
const POINTS = 2

/** The first plane of a frame in small; it is green where it is not light itself. */
export function thumbnailOf({ capturedAt, width, height, planes }: RawFrame | RawVideoFrame): Thumbnail {
  const cell = Math.max(MIN_CELL_PIXELS, Math.ceil(Math.max(width, height) / CELLS))
  const columns = Math.ceil(width / cell)
  const rows = Math.ceil(height / cell)
  const cells = new Uint8Array(columns * rows)
  const sums = new Uint16Array(columns)
  for (let row = 0; row < rows; row++) {
    sums.fill(0)
    for (let i = 0; i < POINTS; i++) {
      const line = Math.min(height - 1, row * cell + placeOf(i, cell)) * width
      for (let j = 0; j < POINTS; j++) {
        let at = placeOf(j, cell)
        for (let column = 0; column < columns; column++, at += cell)
          sums[column] = (sums[column] ?? 0) + (planes[line + Math.min(width - 1, at)] ?? 0)
      }
    }
    for (let column = 0; column < columns; column++)
      cells[row * columns + column] = (sums[column] ?? 0) / POINTS ** 2
  }
  return { capturedAt, columns, rows, cells }
}

function placeOf(point: number, cell: number): number {
  return Math.floor(((point + 0.5) * cell) / POINTS)
}

/** Things move by so many cells without being new. */
const REACH = 2
/** Light that differs by less, of 255, is no change: noise, compression, a shadow. */
const MIN_DIFFERENCE = 10
/** In pictures with much contrast by less than this share of the standard deviation of their light. */
const CONTRAST_SHARE = 0.4
/** Exposure changes light by no more than so many times. */
const MAX_GAIN = 2

/** After a longer time nothing more is allowed to have moved. */
const MAX_MOVED_MS = 200
/** From which share of new cells on it is another picture: vehicles that drive past close by make less, in so many milliseconds. */
const CUT = { at: 0.06, perMs: 0.0007 }
/** Something appears that fills a square of this share of the longer side: what drives by shows as a strip that is not as wide. */
const PART = { at: 0.04, perMs: 0.0003 }
const PART_SHARE = 0.8

/**
 * Whether a frame shows another picture than the one before it, or something new in a part of it; undefined where it is the same that
 * has gone on. A cell is new when its light is not among that of the cells around its place before, so that what moves is not. What
 * exposure does to all of a picture is taken off.
 */
export function changeSince(before: Thumbnail, now: Thumbnail): 'cut' | 'part' | undefined {
  const { columns, rows } = now
  if (before.columns !== columns || before.rows !== rows) return 'cut'
  const ms = Math.min(MAX_MOVED_MS, Math.max(0, now.capturedAt - before.capturedAt))
  const counts = countNew(before, now)
  // Of two pictures one may have so many lights in every place that all of the other's are among them.
  const all = Math.max(allOf(counts), allOf(countNew(now, before)))
  if (all > (CUT.at + CUT.perMs * ms) * columns * rows) return 'cut'
  const side = Math.round((PART.at + PART.perMs * ms) * Math.max(columns, rows))
  return mostIn(counts, now, side) >= PART_SHARE ? 'part' : undefined
}

/** How many cells are new above and to the left of each corner of a cell, which gives those of any part. */
function countNew(before: Thumbnail, { columns, rows, cells }: Thumbnail): Uint32Array {
  const was = lightOf(before.cells)
  const is = lightOf(cells)
  const gain = Math.min(MAX_GAIN, Math.max(1 / MAX_GAIN, is.deviation / Math.max(1, was.deviation)))
  const exposed = new Uint8ClampedArray(256).map((_, value) => is.mean + gain * (value - was.mean))
  const limit = Math.max(MIN_DIFFERENCE, CONTRAST_SHARE * is.deviation)
  const darkest = leastAround(
    before.cells.map((value) => exposed[value] ?? 0),
    columns,
    rows,
  )
  // The least of negatives is the greatest.
  const lightest = leastAround(
    before.cells.map((value) => 255 - (exposed[value] ?? 0)),
    columns,
    rows,
  )
  const counts = new Uint32Array((columns + 1) * (rows + 1))
  for (let row = 0, at = 0; row < rows; row++) {
    let inRow = 0
    let corner = (row + 1) * (columns + 1) + 1
    for (let column = 0; column < columns; column++, at++, corner++) {
      const value = cells[at] ?? 0
      if (value < (darkest[at] ?? 0) - limit || value > 255 - (lightest[at] ?? 0) + limit) inRow++
      counts[corner] = (counts[corner - columns - 1] ?? 0) + inRow
    }
  }
  return counts
}

function allOf(counts: Uint32Array): number {
  return counts.at(-1) ?? 0
}

/** The share of new cells in the square of `side` cells that has most of them, 0-1. */
function mostIn(counts: Uint32Array, { columns, rows }: Thumbnail, side: number): number {
  const w = Math.max(1, Math.min(side, columns))
  const h = Math.max(1, Math.min(side, rows))
  const line = columns + 1
  let most = 0
  for (let row = 0; row + h <= rows; row++) {
    let top = row * line
    let bottom = top + h * line
    for (let column = 0; column + w <= columns; column++, top++, bottom++) {
      const left = (counts[bottom] ?? 0) - (counts[top] ?? 0)
      const count = (counts[bottom + w] ?? 0) - (counts[top + w] ?? 0) - left
      if (count > most) most = count
    }
  }
  return most / (w * h)
}

function lightOf(cells: Uint8Array): { readonly mean: number; readonly deviation: number } {
  let [sum, squares] = [0, 0]
  for (const value of cells) {
    sum += value
    squares += value * value
  }
  const mean = sum / cells.length
  return { mean, deviation: Math.sqrt(Math.max(0, squares / cells.length - mean * mean)) }
}

/** The least of the values around each, within reach. */
function leastAround(values: Uint8Array, columns: number, rows: number): Uint8Array {
  const alongRows = leastAlong(values, { step: 1, count: columns, lineStep: columns, lines: rows })
  return leastAlong(alongRows, { step: columns, count: rows, lineStep: 1, lines: columns })
}

interface Lines {
  /** From one value of a line to the next. */
  readonly step: number
  readonly count: number
  /** From one line to the next. */
  readonly lineStep: number
  readonly lines: number
}

function leastAlong(values: Uint8Array, { step, count, lineStep, lines }: Lines): Uint8Array {
  const result = new Uint8Array(values.length)
  for (let line = 0; line < lines; line++) {
    const first = line * lineStep
    const last = first + (count - 1) * step
    for (let at = first; at <= last; at += step) {
      const end = Math.min(last, at + REACH * step)
      let least = 255
      for (let other = Math.max(first, at - REACH * step); other <= end; other += step) {
        const value = values[other] ?? 0
        if (value < least) least = value
      }
      result[at] = least
    }
  }
  return result
}
