import t from 'tap'
import type { Box } from '../../src/domain/geometry.ts'
import { FACE_COLUMNS, PLATE_COLUMNS, decodeRows } from '../../src/detection/region-rows.ts'
import { assertFinite } from '../../src/detection/session.ts'
import { suppress, suppressToExtents } from '../../src/detection/suppression.ts'

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

await t.test('a proposal reaches as far as those that mean the same and are nearly as sure', async (t) => {
  const proposals = [
    { box: { x: 0, y: 0, w: 10, h: 10 }, score: 0.9 },
    { box: { x: 1, y: 0, w: 10, h: 10 }, score: 0.7 },
    { box: { x: -1, y: 0, w: 10, h: 10 }, score: 0.4 },
    { box: { x: 50, y: 0, w: 10, h: 10 }, score: 0.3 },
  ]
  t.strictSame(
    suppressToExtents(proposals, 0.5).map(({ box, extent }) => [box.x, extent]),
    [
      [0, { x: 0, y: 0, w: 11, h: 10 }],
      [50, { x: 50, y: 0, w: 10, h: 10 }],
    ],
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
