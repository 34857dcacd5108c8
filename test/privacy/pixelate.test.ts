import t from 'tap'
import { type RawFrame, rawFrame } from '../../src/domain/frame.ts'
import { redactFrame } from '../../src/privacy/redact.ts'
import { repeatable } from './chance.ts'

/** What is left of a region in the styles that leave its colour: nothing else, however often it is looked at. */

const WIDTH = 96
const HEIGHT = 48
/** Of the frame, pixels; its cells are 12 pixels wide and high. */
const REGION = { left: 12, top: 12, width: 72, height: 24 }
const CELL = 12
const TIMES = 200

/** Noise is even between -32 and 32: this is its standard deviation, and that of a mean over all times. */
const SPREAD = 64 / Math.sqrt(12)
const SPREAD_OF_MEAN = SPREAD / Math.sqrt(TIMES)
/** So many standard deviations away is no accident in a million runs. */
const BEYOND_CHANCE = 6

/** A frame that has these values in its region, row by row, in all colours. */
function frameOf(values: readonly number[]): RawFrame {
  const planes = new Uint8Array(WIDTH * HEIGHT * 3).fill(128)
  for (let plane = 0; plane < 3; plane++) {
    values.forEach((value, i) => {
      const y = REGION.top + Math.floor(i / REGION.width)
      planes[(plane * HEIGHT + y) * WIDTH + REGION.left + (i % REGION.width)] = value
    })
  }
  return rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, width: WIDTH, height: HEIGHT, planes })
}

/** Strokes on white, as of a plate: everything in the left half. */
const written = Array.from({ length: REGION.width * REGION.height }, (_, i) => {
  const x = i % REGION.width
  return x < REGION.width / 2 && x % 6 < 3 ? 20 : 160
})
/** The very same pixels, in an order that says nothing. */
const shuffle = repeatable(3)
const shuffled = written
  .map((value) => ({ value, order: shuffle() }))
  .sort((a, b) => a.order - b.order)
  .map(({ value }) => value)

/** Green in the middle of every cell, for each of many redactions of the same content. */
function cellsOf(content: readonly number[], style: 'pixelate' | 'blur'): number[][] {
  const frame = frameOf(content)
  const box = {
    x: REGION.left / WIDTH,
    y: REGION.top / HEIGHT,
    w: REGION.width / WIDTH,
    h: REGION.height / HEIGHT,
  }
  return Array.from({ length: TIMES }, () => {
    const { planes } = redactFrame(frame, [{ kind: 'plate', source: 'detected', score: 1, box }], { style })
    const cells: number[] = []
    for (let y = REGION.top + CELL / 2; y < REGION.top + REGION.height; y += CELL)
      for (let x = REGION.left + CELL / 2; x < REGION.left + REGION.width; x += CELL)
        cells.push(planes[y * WIDTH + x] ?? 0)
    return cells
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function meanCells(times: readonly (readonly number[])[]): number[] {
  return (times[0] ?? []).map((_, cell) => mean(times.map((cells) => cells[cell] ?? 0)))
}

for (const style of ['pixelate', 'blur'] as const) {
  await t.test(`the mean of many pictures in the style ${style} has no structure`, async (t) => {
    const cells = meanCells(cellsOf(written, style))
    const away = Math.max(...cells.map((cell) => Math.abs(cell - mean(cells))))
    t.ok(away < BEYOND_CHANCE * SPREAD_OF_MEAN, `a cell is ${away} away from the others`)
  })

  await t.test(`other content of the same colour looks the same in the style ${style}`, async (t) => {
    const [a, b] = [cellsOf(written, style), cellsOf(shuffled, style)]
    const [meansA, meansB] = [meanCells(a), meanCells(b)]
    meansA.forEach((cell, i) => {
      const apart = Math.abs(cell - (meansB[i] ?? 0))
      t.ok(apart < BEYOND_CHANCE * Math.SQRT2 * SPREAD_OF_MEAN, `cell ${i} is ${apart} apart`)
    })
    const spreadOf = (times: number[][]): number =>
      Math.sqrt(mean(times.flat().map((v) => (v - mean(meansA)) ** 2)))
    t.ok(Math.abs(spreadOf(a) / spreadOf(b) - 1) < 0.2, 'with as much noise')
  })

  await t.test(`the noise of one picture tells nothing of the next in the style ${style}`, async (t) => {
    const times = cellsOf(written, style)
    const middle = mean(times.flat())
    const product = (lag: number): number =>
      mean(
        times
          .slice(lag)
          .flatMap((cells, i) => cells.map((v, cell) => (v - middle) * ((times[i]?.[cell] ?? 0) - middle))),
      )
    const likeness = product(1) / product(0)
    t.ok(Math.abs(likeness) < 0.2, `correlation ${likeness}`)
  })
}
