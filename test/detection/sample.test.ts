import t from 'tap'
import { type Canvas, fit, sample } from '../../src/detection/sample.ts'
import { type RawFrame, rawFrame } from '../../src/domain/frame.ts'
import type { PixelBox } from '../../src/domain/geometry.ts'

type Colour = readonly [green: number, blue: number, red: number]

/** A picture whose pixels come from a function of column and row. */
function frame(width: number, height: number, pixel: (x: number, y: number) => Colour): RawFrame {
  const planes = new Uint8Array(3 * width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (const [plane, value] of pixel(x, y).entries()) planes[(plane * height + y) * width + x] = value
    }
  }
  return rawFrame({ cameraId: 'cam-1', sequence: 0, capturedAt: 0, width, height, planes })
}

function draw(source: RawFrame, part: PixelBox, place: PixelBox, more: Partial<Canvas> = {}): Canvas {
  const width = more.width ?? place.x + place.w
  const height = more.height ?? place.y + place.h
  const values = new Float32Array(3 * width * height).fill(-1)
  const canvas: Canvas = { values, width, height, colour: 'bgr', maximum: 255, fill: 114, ...more }
  sample(source, part, place, canvas)
  return canvas
}

function at({ values, width, height }: Canvas, plane: number, x: number, y: number): number {
  return values[(plane * height + y) * width + x] ?? Number.NaN
}

const whole = ({ width, height }: RawFrame): PixelBox => ({ x: 0, y: 0, w: width, h: height })

await t.test(
  'at its own size a picture arrives unchanged, in the colour order and range asked for',
  async (t) => {
    const source = frame(7, 5, (x, y) => [x, 100 + y, 200 + x])
    const bgr = draw(source, whole(source), { x: 0, y: 0, w: 7, h: 5 })
    t.strictSame([at(bgr, 0, 3, 4), at(bgr, 1, 3, 4), at(bgr, 2, 3, 4)], [104, 3, 203])
    const rgb = draw(source, whole(source), { x: 0, y: 0, w: 7, h: 5 }, { colour: 'rgb', maximum: 1 })
    t.ok(Math.abs(at(rgb, 0, 3, 4) - 203 / 255) < 1e-6)
    t.ok(Math.abs(at(rgb, 2, 3, 4) - 104 / 255) < 1e-6)
  },
)

await t.test('shrinking averages everything: a single bright pixel does not fall between taps', async (t) => {
  for (const size of [37, 64, 100]) {
    const source = frame(size, size, (x, y) => (x === 11 && y === 5 ? [255, 255, 255] : [0, 0, 0]))
    const small = draw(source, whole(source), { x: 0, y: 0, w: 8, h: 8 })
    const total = small.values.subarray(0, 64).reduce((sum, value) => sum + value, 0)
    const expected = (255 * 64) / (size * size)
    t.ok(Math.abs(total - expected) < 0.1 * expected, `${size} to 8: ${total}, expected ${expected}`)
  }
})

await t.test('a slope stays a slope at every scale and for every part', async (t) => {
  const source = frame(203, 150, (x, y) => [x, y, 50])
  for (const [w, h] of [
    [203, 150],
    [64, 40],
    [150, 111],
    [406, 300],
  ] as const) {
    for (const part of [whole(source), { x: 20.5, y: 11.25, w: 90, h: 77.7 }]) {
      const canvas = draw(source, part, { x: 0, y: 0, w, h })
      for (const [x, y] of [
        [Math.floor(w / 2), Math.floor(h / 2)],
        [Math.floor(w / 4), Math.floor(h / 1.5)],
      ] as const) {
        // Pixel n covers n to n + 1, its value is that of its middle.
        const across = part.x + ((x + 0.5) * part.w) / w - 0.5
        const down = part.y + ((y + 0.5) * part.h) / h - 0.5
        t.ok(Math.abs(at(canvas, 1, x, y) - across) < 0.6, `green ${at(canvas, 1, x, y)}, expected ${across}`)
        t.ok(Math.abs(at(canvas, 0, x, y) - down) < 0.6, `blue ${at(canvas, 0, x, y)}, expected ${down}`)
        t.ok(Math.abs(at(canvas, 2, x, y) - 50) < 0.01)
      }
    }
  }
})

await t.test('what lies outside the picture, and around the place, is filled', async (t) => {
  const source = frame(40, 40, () => [10, 20, 30])
  for (const scale of [1, 0.4, 2]) {
    const size = 60 * scale
    const canvas = draw(
      source,
      { x: -10, y: 20, w: 60, h: 60 },
      { x: 4, y: 4, w: size, h: size },
      { width: size + 8, height: size + 8 },
    )
    const middle = 4 + Math.floor(30 * scale)
    t.equal(at(canvas, 0, 0, 0), 114, 'around the place')
    t.equal(at(canvas, 0, 5, 4 + Math.floor(10 * scale)), 114, 'left of the picture')
    t.equal(at(canvas, 0, middle, size), 114, 'below the picture')
    t.ok(Math.abs(at(canvas, 0, middle, 4 + Math.floor(8 * scale)) - 20) < 0.01, 'inside')
    t.notOk(canvas.values.includes(-1), 'everything is drawn')
  }
  const nothing = draw(source, { x: 100, y: 100, w: 10, h: 10 }, { x: 0, y: 0, w: 5, h: 5 })
  t.ok(nothing.values.every((value) => value === 114))
})

await t.test('a part is fitted in its shape, at the top left or in the middle', async (t) => {
  const part = { x: 0, y: 0, w: 1920, h: 1080 }
  t.strictSame(fit(part, 640, 640, 'top-left'), { x: 0, y: 0, w: 640, h: 360 })
  t.strictSame(fit(part, 640, 640, 'centre'), { x: 0, y: 140, w: 640, h: 360 })
  t.strictSame(fit({ ...part, w: 10_000, h: 1 }, 64, 64, 'centre'), { x: 0, y: 31, w: 64, h: 1 })
})
