import t from 'tap'
import { decodePlates } from '../../scripts/evaluate-models/public/plate-corners.ts'
import { decodeYolox } from '../../scripts/evaluate-models/public/yolox.ts'
import { decodeYunet } from '../../scripts/evaluate-models/public/yunet.ts'

await t.test('a face is found where its cell, offset and size say', async (t) => {
  const [classes, objectness, boxes] = [new Float32Array(12), new Float32Array(12), new Float32Array(48)]
  classes[7] = 0.81
  objectness[7] = 1.2
  boxes.set([0.5, 0.5, 0, Math.log(2)], 28)
  // Cell 7 of rows of 4: 3 across, 1 down.
  const [face] = decodeYunet(8, 4, classes, objectness, boxes, 0.5)
  t.ok(Math.abs((face?.score ?? 0) - 0.9) < 1e-6, 'no factor counts for more than 1')
  // Centre (3.5, 1.5) cells, size 1 by 2 cells.
  const { x = 0, y = 0, w = 0, h = 0 } = face?.box ?? {}
  for (const [value, expected] of [
    [x, 24],
    [y, 4],
    [w, 8],
    [h, 16],
  ] as const)
    t.ok(Math.abs(value - expected) < 1e-4, `${value}, expected ${expected}`)
  t.strictSame(decodeYunet(8, 4, classes, objectness, boxes, 0.91), [])
})

await t.test('a plate has its box and its corners in reading order', async (t) => {
  const rows = new Float32Array(30)
  rows.set([50, 20, 40, 10, 0.5, 30, 15, 70, 16, 70, 25, 30, 24, 0.2, 0.8], 15)
  const [plate, ...more] = decodePlates(rows, 0.3)
  t.strictSame(more, [])
  t.ok(Math.abs((plate?.score ?? 0) - 0.4) < 1e-6)
  t.match(plate, {
    box: { x: 30, y: 15, w: 40, h: 10 },
    corners: [
      { x: 30, y: 15 },
      { x: 70, y: 16 },
      { x: 70, y: 25 },
      { x: 30, y: 24 },
    ],
  })
})

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
