import t from 'tap'
import { rawFrame } from '../../src/domain/frame.ts'
import { cutOut, redactFrame } from '../../src/privacy/redact.ts'

const width = 64
const height = 48

function noise(seed: number): ReturnType<typeof rawFrame> {
  let state = seed
  const planes = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state >> 16
  })
  return rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, width, height, planes })
}

const region = (x: number, y: number, w: number, h: number) =>
  ({ kind: 'face', source: 'detected', score: 1, box: { x, y, w, h } }) as const

await t.test('what is hidden does not depend on what was there', async (t) => {
  const hide = [region(0.25, 0.25, 0.5, 0.5)]
  const a = noise(1)
  const b = rawFrame({ ...a, planes: a.planes.slice() })
  for (let plane = 0; plane < 3; plane++) {
    for (let y = 12; y < 36; y++)
      b.planes.fill(255, plane * width * height + y * width + 16, plane * width * height + y * width + 48)
  }
  t.notSame(a.planes, b.planes)
  t.same(redactFrame(a, hide).planes, redactFrame(b, hide).planes)
})

await t.test('everything outside the regions stays as it was, and so does the raw frame', async (t) => {
  const frame = noise(2)
  const copy = frame.planes.slice()
  const image = redactFrame(frame, [region(0, 0, 0.5, 1)])
  t.same(frame.planes, copy)
  for (let y = 0; y < height; y++) {
    t.same(
      image.planes.subarray(y * width + 32, (y + 1) * width),
      frame.planes.subarray(y * width + 32, (y + 1) * width),
    )
  }
})

await t.test('a region that begins within a pixel hides that pixel', async (t) => {
  const image = redactFrame(noise(3), [region(10.9 / width, 10.9 / height, 1.2 / width, 1.2 / height)])
  const grey = image.planes[10 * width + 10]
  t.equal(image.planes[12 * width + 12], grey)
  t.equal(image.planes[10 * width + 12], grey)
})

await t.test('regions that reach outside the picture hide up to its edge', async (t) => {
  const image = redactFrame(noise(4), [region(-0.5, -0.5, 2, 2)])
  t.equal(new Set(image.planes).size, 1)
})

await t.test('rows for the databar are added below and are black', async (t) => {
  const image = redactFrame(noise(5), [], { extraRows: 8 })
  t.equal(image.height, height + 8)
  for (let plane = 0; plane < 3; plane++) {
    const start = plane * width * (height + 8) + width * height
    t.ok(image.planes.subarray(start, start + 8 * width).every((value) => value === 0))
  }
})

await t.test('a cut-out has the very pixels of the image', async (t) => {
  const image = redactFrame(noise(6), [])
  const part = cutOut(image, { x: 0.25, y: 0.5, w: 0.25, h: 0.25 })
  t.equal(part.width, 16)
  t.equal(part.height, 12)
  t.equal(part.planes[0], image.planes[24 * width + 16])
  t.throws(() => cutOut(image, { x: 2, y: 2, w: 0.1, h: 0.1 }), RangeError)
})

await t.test('a region without a place is refused, not left open', async (t) => {
  for (const box of [
    { x: NaN, y: 0, w: 1, h: 1 },
    { x: -Infinity, y: 0, w: Infinity, h: 1 },
  ]) {
    t.throws(() => redactFrame(noise(7), [{ kind: 'face', source: 'detected', score: 1, box }]), {
      code: 'ERR_REDACTION_UNCHECKED',
    })
  }
})
