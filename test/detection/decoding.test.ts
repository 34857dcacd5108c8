import t from 'tap'
import type { Box } from '../../src/domain/geometry.ts'
import { FACE_COLUMNS, PLATE_COLUMNS, decodeRows } from '../../src/detection/region-rows.ts'
import { assertFinite } from '../../src/detection/session.ts'
import { suppress } from '../../src/detection/suppression.ts'
import { decodeYolox } from '../../src/detection/yolox.ts'

await t.test(
  'an object is found where its cell, offset and size say, in the class that is surest',
  async (t) => {
    const size = 64
    const columns = 8
    const grid = new Float32Array((64 + 16 + 4) * columns)
    // Second stride (16), cell 2 across and 1 down.
    const row = (64 + 1 * 4 + 2) * columns
    grid.set([0.5, 0.25, Math.log(2), Math.log(3), 0.8, 0.1, 0.9, 1], row)
    const [found, ...more] = decodeYolox(grid, size, columns, [0, 1], 0.1)
    t.strictSame(more, [])
    t.equal(found?.choice, 1)
    t.ok(Math.abs((found?.score ?? 0) - 0.72) < 1e-6, 'the third class does not count, though it is surer')
    const { x = 0, y = 0, w = 0, h = 0 } = found?.box ?? {}
    t.ok(Math.abs(w - 32) < 1e-4 && Math.abs(h - 48) < 1e-4)
    t.ok(Math.abs(x + w / 2 - 40) < 1e-4 && Math.abs(y + h / 2 - 20) < 1e-4)
    t.strictSame(decodeYolox(grid, size, columns, [0, 1], 0.73), [])
  },
)

await t.test('rows of our own network become boxes, and plates have corners', async (t) => {
  const plates = new Float32Array(26)
  plates.set([0.5, 50, 20, 40, 10, 30, 15, 70, 16, 70, 25, 30, 24], 13)
  t.strictSame(decodeRows(plates, PLATE_COLUMNS, 0.4), [
    {
      box: { x: 30, y: 15, w: 40, h: 10 },
      score: 0.5,
      corners: [
        { x: 30, y: 15 },
        { x: 70, y: 16 },
        { x: 70, y: 25 },
        { x: 30, y: 24 },
      ],
    },
  ])
  t.strictSame(decodeRows(plates, PLATE_COLUMNS, 0.6), [])
  const faces = Float32Array.of(0.75, 8, 8, 4, 6)
  t.strictSame(decodeRows(faces, FACE_COLUMNS, 0.5), [{ box: { x: 6, y: 5, w: 4, h: 6 }, score: 0.75 }])
})

await t.test('of overlapping proposals the surest stays, unless they mean different things', async (t) => {
  const proposal = (x: number, score: number, kind = 'car'): { box: Box; score: number; kind: string } => ({
    box: { x, y: 0, w: 10, h: 10 },
    score,
    kind,
  })
  const all = [proposal(1, 0.5), proposal(0, 0.9), proposal(8, 0.4), proposal(0, 0.3, 'person')]
  t.strictSame(
    suppress(all, 0.5).map(({ score }) => score),
    [0.9, 0.4],
  )
  t.strictSame(
    suppress(all, 0.5, (a, b) => a.kind === b.kind).map(({ score }) => score),
    [0.9, 0.4, 0.3],
  )
})

await t.test('one output that is no number spoils the frame', async (t) => {
  t.doesNotThrow(() => assertFinite(new Float32Array([1e38, -1e38, 0]), 'faces'))
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    const values = new Float32Array(1000)
    values[500] = value
    t.throws(() => assertFinite(values, 'faces'), { code: 'ERR_DETECTION_FAILED' }, String(value))
  }
})
