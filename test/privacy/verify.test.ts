import t from 'tap'
import { openRegionDetector } from '../../src/detection/regions.ts'
import { loadModelSource } from '../../src/models/source.ts'
import type { Region } from '../../src/domain/evidence.ts'
import { rawFrame } from '../../src/domain/frame.ts'
import { type Box, iou } from '../../src/domain/geometry.ts'
import type { FoundRegion } from '../../src/privacy/findings.ts'
import { mirror } from '../../src/privacy/mirror.ts'
import { redactFrame } from '../../src/privacy/redact.ts'
import { findLeaks } from '../../src/privacy/verify.ts'
import { fullFrame } from '../support/scene-frames.ts'
import { SCENE_FILE, trueBox, truth, truthAt } from '../support/scene.ts'

const readNothing = async () => undefined

const region = (box: Box): Region => ({ kind: 'face', source: 'detected', score: 1, box })

/** Networks that find one thing, and say where they were asked to look. */
function finding(found: readonly Omit<FoundRegion, 'extent'>[]) {
  return { detect: async () => [...found] }
}

const empty = rawFrame({
  ...{ cameraId: 'c', sequence: 0, capturedAt: 0, width: 320, height: 192 },
  planes: new Uint8Array(320 * 192 * 3),
})

await t.test('the face that was left open is found again, and no other', async (t) => {
  const detector = await openRegionDetector(await loadModelSource(), 'regions')
  const frame = fullFrame(SCENE_FILE, truth.width, truth.height, 8)
  const hidden = truthAt(8)
    .filter(({ cls }) => cls === 'face' || cls === 'plate')
    .map((object) => ({ object, box: trueBox(object) }))
  const grown = (box: Box): Box => ({
    x: box.x - box.w / 2,
    y: box.y - box.h / 2,
    w: 2 * box.w,
    h: 2 * box.h,
  })
  const faces = hidden.filter(({ object }) => object.cls === 'face' && (object.facing ?? 1) > 0.4)
  const [open] = faces.toSorted((a, b) => b.object.box[3] - a.object.box[3])
  if (!open) throw new RangeError('nobody looks at the camera at 8 s')
  const leaksOf = async (left: readonly Box[]): Promise<FoundRegion[]> => {
    const regions = hidden.filter(({ box }) => !left.includes(box)).map(({ box }) => region(grown(box)))
    const { width, height, planes } = redactFrame(frame, regions)
    const picture = rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, width, height, planes })
    return findLeaks(picture, regions, [], detector, readNothing)
  }
  const again = await leaksOf([open.box])
  t.ok(
    again.some(({ kind, box }) => kind === 'face' && iou(box, open.box) > 0.3),
    'found, in the unmirrored picture',
  )
  const rest = await leaksOf([])
  t.notOk(
    rest.some(({ box }) => hidden.some((other) => iou(box, other.box) > 0.1)),
    'what is hidden is not found',
  )
  await detector.close()
})

await t.test('what lies in a hidden place, and the plate that is kept, are no leaks', async (t) => {
  const box = { x: 0.1, y: 0.1, w: 0.2, h: 0.1 }
  const mirrored = { ...box, x: 1 - box.x - box.w }
  const plate = finding([{ kind: 'plate', box: mirrored, score: 0.9 }])
  const leaks = await findLeaks(empty, [], [], plate, readNothing)
  t.equal(leaks.length, 1)
  t.ok(iou(leaks[0]?.box ?? mirrored, box) > 0.99, 'its place is that of the unmirrored picture')
  t.strictSame(await findLeaks(empty, [region(box)], [], plate, readNothing), [])
  t.strictSame(await findLeaks(empty, [], [box], plate, readNothing), [])
  const face = finding([{ kind: 'face', box: mirrored, score: 0.9 }])
  t.equal((await findLeaks(empty, [], [box], face, readNothing)).length, 1, 'only plates are kept')
})

await t.test('of a plate that the network doubts the reader decides', async (t) => {
  const plate = finding([{ kind: 'plate', box: { x: 0.1, y: 0.1, w: 0.2, h: 0.1 }, score: 0.35 }])
  const leaks = async (text: string, confidence: number): Promise<number> =>
    (await findLeaks(empty, [], [], plate, async () => ({ text, confidence }))).length
  t.equal(await leaks('KX47BRT', 0.95), 1)
  t.equal(await leaks('KX47BRT', 0.4), 0)
  t.equal(await leaks('I', 0.95), 0)
})

await t.test('a network that fails has checked nothing', async (t) => {
  const broken = { detect: async () => Promise.reject(new Error('out of memory')) }
  await t.rejects(findLeaks(empty, [], [], broken, readNothing), { code: 'ERR_REDACTION_UNCHECKED' })
})

await t.test('a mirror shows every row the other way round', async (t) => {
  const planes = Uint8Array.from({ length: 2 * 2 * 3 }, (_, i) => i)
  const frame = rawFrame({ ...empty, width: 2, height: 2, planes })
  t.same([...mirror(frame).planes], [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10])
  t.same(mirror(mirror(frame)).planes, planes)
})
