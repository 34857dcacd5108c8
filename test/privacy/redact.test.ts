import t from 'tap'
import { rawFrame, rawVideoFrame, videoFrameBytes } from '../../src/domain/frame.ts'
import { videoPlanes } from '../../src/privacy/planes.ts'
import { cutOut, redactFrame, redactVideoFrame } from '../../src/privacy/redact.ts'
import { asVideo } from '../support/as-video.ts'

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
  const frame = asVideo(noise(5))
  const image = redactVideoFrame(frame, [], { extraRows: 8 })
  t.equal(image.height, height + 8)
  const before = videoPlanes(frame.planes, width, height)
  const after = videoPlanes(image.planes, width, height + 8)
  for (const [plane, black] of [16, 128, 128].entries()) {
    const [picture, values] = [before, after].map((all) => all[plane]?.values ?? new Uint8Array()) as [
      Uint8Array,
      Uint8Array,
    ]
    t.same(values.subarray(0, picture.length), picture)
    const rows = values.subarray(picture.length)
    t.ok(rows.length >= 4 * (width / 2) && rows.every((value) => value === black))
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

await t.test(
  'in a frame of a video, too, nothing depends on what was hidden, and all else stays',
  async (t) => {
    // Odd sizes and edges: values of the colours stand for pixels within and without.
    const size = { width: 63, height: 47 }
    const half = 32
    const coding = { format: 'yuv420p', matrix: 'bt709' } as const
    const frameOf = (draw: (x: number, y: number) => number): ReturnType<typeof rawVideoFrame> => {
      const planes = new Uint8Array(videoFrameBytes(size))
      for (let y = 0; y < 47; y++) for (let x = 0; x < 63; x++) planes[y * 63 + x] = draw(x, y)
      for (let y = 0; y < 24; y++)
        for (let x = 0; x < half; x++)
          for (const plane of [0, 1])
            planes[63 * 47 + (plane * 24 + y) * half + x] = Math.max(
              ...[0, 1].flatMap((dx) => [0, 1].map((dy) => draw(2 * x + dx, 2 * y + dy))),
            )
      return rawVideoFrame({ ...coding, cameraId: 'c', sequence: 0, capturedAt: 0, ...size, planes })
    }
    const hide = [region(11 / 63, 11 / 47, 20 / 63, 20 / 47), region(0.9, 0.9, 0.2, 0.2)]
    const isHidden = (x: number, y: number): boolean =>
      (x >= 11 && x < 31 && y >= 11 && y < 31) || (x >= 56.7 - 1 && y >= 42.3 - 1)
    const [a, b] = [frameOf(() => 30), frameOf((x, y) => (isHidden(x, y) ? 200 : 30))]
    t.notSame(a.planes, b.planes)
    const copy = b.planes.slice()
    t.same(redactVideoFrame(a, hide).planes, redactVideoFrame(b, hide).planes)
    t.same(b.planes, copy, 'the raw frame stays')

    const { planes } = redactVideoFrame(a, hide)
    const hiddenValues = [planes[20 * 63 + 20], planes[63 * 47 + 10 * half + 10]]
    t.same(hiddenValues, [78, 128], 'the same grey as of stills')
    t.equal(planes[10 * 63 + 10], 78, 'of a group of four all')
    t.same([planes[9 * 63 + 9], planes[63 * 47 + 4 * half + 4]], [30, 30])
    t.throws(() => redactVideoFrame(a, [region(NaN, 0, 1, 1)]), { code: 'ERR_REDACTION_UNCHECKED' })
  },
)
