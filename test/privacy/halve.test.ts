import t from 'tap'
import { rawFrame } from '../../src/domain/frame.ts'
import { halve } from '../../src/privacy/halve.ts'

for (const [width, height] of [
  [64, 36],
  [37, 21],
  [6, 5],
  [2, 2],
] as const) {
  await t.test(`every pixel of ${width}x${height} halved is the rounded mean of four`, async (t) => {
    const planes = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255)
    const half = halve(rawFrame({ cameraId: 'c', sequence: 3, capturedAt: 5, width, height, planes }))
    t.match(half, { width: width >> 1, height: height >> 1, sequence: 3, capturedAt: 5 })
    const wanted: number[] = []
    for (let plane = 0; plane < 3; plane++) {
      for (let y = 0; y < half.height; y++) {
        for (let x = 0; x < half.width; x++) {
          const at = (plane * height + 2 * y) * width + 2 * x
          const four = [at, at + 1, at + width, at + width + 1].map((pixel) => planes[pixel] ?? NaN)
          wanted.push(Math.round(four.reduce((sum, value) => sum + value, 0) / 4))
        }
      }
    }
    t.same([...half.planes], wanted)
  })
}
