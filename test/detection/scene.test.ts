import t from 'tap'
import { openObjectDetector } from '../../src/detection/objects.ts'
import { openRegionDetector } from '../../src/detection/regions.ts'
import { familyOf } from '../../src/domain/detection.ts'
import { iou } from '../../src/domain/geometry.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { analysisFrames, fullFrame } from '../support/scene-frames.ts'
import { SCENE_FILE, trueBox, truth, truthAt } from '../support/scene.ts'

const { width, height } = truth
const WHOLE = { x: 0, y: 0, w: width, h: height }
/** Seconds into the scene: the red car far away, near, standing. */
const LOOKS = [1, 4, 8, 13]

await t.test('vehicles and persons of the built-in scene are found, far ones too', async (t) => {
  const detector = await openObjectDetector(await loadModelSource())
  const frames = analysisFrames(SCENE_FILE, { width, height, pixels: detector.analysisPixels, fps: 5 })
  for (const seconds of LOOKS) {
    const frame = frames[seconds * 5]
    if (!frame) throw new RangeError(`no frame at ${seconds} s`)
    const small = (await detector.detect(frame)).filter(({ score }) => score > 0.4)
    const full = fullFrame(SCENE_FILE, width, height, seconds)
    const large = (await detector.detectIn(full, WHOLE)).filter(({ score }) => score > 0.4)
    for (const object of truthAt(seconds)) {
      const { id, cls, visibility, inFrame } = object
      if ((cls !== 'car' && cls !== 'person') || visibility < 0.9 || inFrame < 0.95) continue
      const family = cls === 'car' ? 'vehicle' : 'person'
      for (const found of [small, large]) {
        const match = found.some(
          (item) => familyOf(item.class) === family && iou(item.box, trueBox(object)) > 0.5,
        )
        t.ok(match, `${id} at ${seconds} s`)
      }
    }
  }
  await detector.close()
})

await t.test('a part that reaches outside the picture gives places in the full picture', async (t) => {
  const detector = await openObjectDetector(await loadModelSource())
  const car = truthAt(13).find(({ id }) => id === 'car-1')
  if (!car) throw new RangeError('no car-1 at 13 s')
  const [x, y, w, h] = car.box
  const part = { x: x - 700, y: y - 100, w: w + 800, h: h + 600 }
  const found = await detector.detectIn(fullFrame(SCENE_FILE, width, height, 13), part)
  const [best] = found.toSorted((a, b) => iou(b.box, trueBox(car)) - iou(a.box, trueBox(car)))
  t.ok(best && iou(best.box, trueBox(car)) > 0.75)
  await detector.close()
})

for (const role of ['regions', 'regions-fine'] as const)
  await t.test(`faces that look at the camera and readable plates are found by ${role}`, async (t) => {
    const detector = await openRegionDetector(await loadModelSource(), role)
    for (const seconds of LOOKS) {
      const frame = fullFrame(SCENE_FILE, width, height, seconds)
      const found = await detector.detect(frame, WHOLE, 1, { plate: 0.3, face: 0.3 })
      for (const object of truthAt(seconds)) {
        const { cls, visibility, inFrame, facing = 1, id, box } = object
        if ((cls !== 'face' && cls !== 'plate') || visibility < 0.9 || inFrame < 0.95 || facing < 0.4)
          continue
        if (box[3] < 10) continue
        const match = found.find((other) => other.kind === cls && iou(other.box, trueBox(object)) > 0.3)
        t.ok(match, `${id}, ${box[3]} pixels high, at ${seconds} s`)
        if (!match?.corners) continue
        const [a, b, c, d] = match.corners
        t.ok(a.x < b.x && d.x < c.x && a.y < d.y && b.y < c.y, 'its corners go round from the top left')
      }
    }
    await detector.close()
  })
