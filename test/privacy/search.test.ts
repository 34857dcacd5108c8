import t from 'tap'
import type { Detection } from '../../src/domain/detection.ts'
import { rawFrame } from '../../src/domain/frame.ts'
import { type Box, type PixelBox, iou } from '../../src/domain/geometry.ts'
import { STILL_LOOKS, looksAt } from '../../src/privacy/looks.ts'
import { type Detectors, searchFrame } from '../../src/privacy/search.ts'
import { detectorsOf } from '../support/detectors.ts'

function frame(width: number, height: number): ReturnType<typeof rawFrame> {
  const planes = new Uint8Array(width * height * 3)
  return rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, width, height, planes })
}

/** Networks that find what they are told to, wherever they look; `looked` gets the parts searched for objects. */
function finding(found: {
  readonly objects?: readonly Detection[]
  readonly face?: Box
  readonly looked?: PixelBox[]
}): Detectors {
  return detectorsOf(
    async () => (found.face ? [{ kind: 'face', box: found.face, score: 0.9 }] : []),
    async (_, part) => {
      found.looked?.push(part)
      return [...(found.objects ?? [])]
    },
  )
}

await t.test('a rider and the bicycle are two, though they share a place', async (t) => {
  const box = { x: 0.3, y: 0.3, w: 0.2, h: 0.4 }
  const objects: Detection[] = [
    { class: 'bicycle', score: 0.9, box },
    { class: 'person', score: 0.6, box: { ...box, h: 0.35 } },
    { class: 'person', score: 0.5, box },
  ]
  const found = await searchFrame(frame(320, 180), finding({ objects }), looksAt(0, 5))
  t.same(found.objects.map((object) => object.class).sort(), ['bicycle', 'person'])
})

await t.test('a box without a place means that the frame was not checked', async (t) => {
  for (const face of [
    { x: -Infinity, y: 0, w: Infinity, h: 1 },
    { x: NaN, y: 0, w: 0.1, h: 0.1 },
  ]) {
    await t.rejects(searchFrame(frame(320, 180), finding({ face }), looksAt(0, 5)), {
      code: 'ERR_REDACTION_UNCHECKED',
    })
  }
})

await t.test(
  'a still is looked at by the network that finds more, a frame of a clip by the other',
  async (t) => {
    const face = { kind: 'face', box: { x: 0.4, y: 0.4, w: 0.1, h: 0.1 }, score: 0.9 } as const
    const detectors = { ...finding({}), fineRegions: { detect: async () => [face] } }
    t.equal((await searchFrame(frame(320, 180), detectors, STILL_LOOKS)).faces.length, 1)
    t.same((await searchFrame(frame(320, 180), detectors, looksAt(0, 5))).faces, [])
  },
)

await t.test('a plate that is known only upside down is found in a still, where it is', async (t) => {
  // White below the middle: a plate for a network that sees it above.
  const still = frame(320, 180)
  const rows = 320 * 180
  for (let plane = 0; plane < 3; plane++) still.planes.fill(255, plane * rows + rows / 2, (plane + 1) * rows)
  const box = { x: 0.1, y: 0.2, w: 0.2, h: 0.1 }
  const upright = detectorsOf(async ({ planes }, part) =>
    part.w === 320 && planes[0] === 255 ? [{ kind: 'plate', box, score: 0.9 }] : [],
  )
  const { plates } = await searchFrame(still, upright, STILL_LOOKS)
  t.equal(plates.length, 1)
  t.ok(iou(plates[0]?.box ?? box, { x: 0.7, y: 0.7, w: 0.2, h: 0.1 }) > 0.99)
  t.same((await searchFrame(still, upright, looksAt(0, 5))).plates, [], 'a clip shows it in other frames')
})

await t.test(
  'what the edge of a half cuts does not stand for the whole, but counts where nothing shows it',
  async (t) => {
    const car = { x: 0.48, y: 0.3, w: 0.2, h: 0.2 }
    const cut = { ...car, w: 0.56 - car.x }
    const seeing = (shown: boolean): Detectors => ({
      ...finding({}),
      objects: {
        detectIn: async (_, part) => {
          if (part.x === 0 && part.w < 320) return [{ class: 'car', score: 0.9, box: cut }]
          return shown && part.w === 320 ? [{ class: 'truck', score: 0.6, box: car }] : []
        },
      },
    })
    const boxes = async (shown: boolean) =>
      (await searchFrame(frame(320, 180), seeing(shown), looksAt(0, 5))).objects.map(({ box }) => box)
    t.same(await boxes(true), [car])
    t.same(await boxes(false), [cut])
  },
)

await t.test('the far halves divide the longer side', async (t) => {
  for (const [width, height] of [
    [320, 180],
    [180, 320],
  ] as const) {
    const looked: PixelBox[] = []
    await searchFrame(frame(width, height), finding({ looked }), looksAt(0, 5))
    t.equal(looked.length, 3)
    t.ok(looked.slice(1).every(({ w, h }) => Math.max(w, h) < 190 && Math.min(w, h) === 180))
  }
})

await t.test('the rarer the frames, the more of them get every look', async (t) => {
  const count = (fps: number): [number, number] => {
    const looks = Array.from({ length: 8 }, (_, i) => looksAt(i, fps))
    return [looks.filter(({ far }) => far).length, looks.filter(({ whole }) => whole.length > 0).length]
  }
  t.same(count(15), [3, 4])
  t.same(count(5), [3, 4])
  t.same(count(2), [5, 8])
  t.same(count(1), [8, 8])
})
