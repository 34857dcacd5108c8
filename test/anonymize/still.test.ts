import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { anonymizeStill } from '../../src/anonymize/still.ts'
import { decodePicture } from '../../src/anonymize/picture.ts'
import { parseKeptVehicle } from '../../src/anonymize/options.ts'
import type { FrameRecord, PixelPlace } from '../../src/anonymize/record.ts'
import type { Detectors } from '../../src/privacy/search.ts'
import { SCENE_FILE, truth, truthAt } from '../support/scene.ts'
import { OPTIONS, ffmpeg, halves, networks, run } from './files.ts'
import { detectorsOf } from '../support/detectors.ts'

/** A part of the built-in scene with the offender's car and two others, at a time when its plate can be read. */
const SECONDS = 10
const PART = { x: 300, y: 100, width: 1600, height: 720 }
const folder = t.testdir()
const street = join(folder, 'street.png')
const crop = `crop=${PART.width}:${PART.height}:${PART.x}:${PART.y}`
ffmpeg('-ss', String(SECONDS), '-i', SCENE_FILE, '-frames:v', '1', '-vf', crop, street)

const inPart = ([x, y, w, h]: readonly [number, number, number, number]) => ({
  x: x - PART.x,
  y: y - PART.y,
  w,
  h,
})
const offender = truth.violation.vehicle
const plates = truthAt(SECONDS).flatMap(({ id, cls, box }) =>
  cls === 'plate' ? [{ id, box: inPart(box) }] : [],
)
const carBox = inPart(truthAt(SECONDS).find(({ id }) => id === offender)?.box ?? [0, 0, 0, 0])
const isIn = (middle: { x: number; y: number }, { x, y, width, height }: PixelPlace): boolean =>
  middle.x > x && middle.x < x + width && middle.y > y && middle.y < y + height
const isHidden = ({ regions }: FrameRecord, box: { x: number; y: number; w: number; h: number }): boolean =>
  regions.some(({ box: place }) => isIn({ x: box.x + box.w / 2, y: box.y + box.h / 2 }, place))
const large = plates.filter(({ box }) => box.h >= 12)
const own = large.find(({ id }) => id.startsWith(offender))?.box ?? { x: 0, y: 0, w: 0, h: 0 }

await t.test('every plate is hidden, the report says where and why, and the picture shows it', async (t) => {
  const report = join(folder, 'report.json')
  const out = join(folder, 'out')
  await run([street], out, { report })
  const { inputs, software } = JSON.parse(readFileSync(report, 'utf8')) as {
    software: { models: unknown[] }
    inputs: { output: string; verification: unknown; frames: FrameRecord[] }[]
  }
  t.ok(software.models.length >= 3)
  const [entry] = inputs
  const record = entry?.frames[0]
  if (!entry || !record) throw new RangeError('the report has no picture')
  t.match(entry, {
    kind: 'still',
    result: 'anonymized',
    width: PART.width,
    verification: { checkedFrames: 1 },
  })
  t.ok(large.length > 1, 'there are plates')
  for (const { id, box } of large) t.ok(isHidden(record, box), id)
  const { frame } = await decodePicture(readFileSync(entry.output))
  for (const { class: kind, box, score, why } of record.regions) {
    t.ok(score >= 0 && score <= 1 && ['detected', 'followed', 'inferred'].includes(why), kind)
    const middle = Math.floor(box.y + box.height / 2) * frame.width + Math.floor(box.x + box.width / 2)
    t.equal(frame.planes[middle], 72, 'what is hidden is grey')
  }
})

await t.test(
  'one plate stays readable, by the place of its vehicle or by its text, and only that one',
  async (t) => {
    const bytes = readFileSync(street)
    for (const value of [
      Object.values(carBox).map(Math.round).join(','),
      truth.violation.plateText.toLowerCase(),
    ]) {
      const options = { ...OPTIONS, keptVehicle: parseKeptVehicle(value) }
      const { record, bytes: made } = await anonymizeStill(bytes, { networks, options })
      t.ok(record.keptPlate && isIn({ x: own.x + own.w / 2, y: own.y + own.h / 2 }, record.keptPlate), value)
      t.notOk(isHidden(record, own))
      for (const { id, box } of large) if (!id.startsWith(offender)) t.ok(isHidden(record, box), id)
      const { frame } = await decodePicture(made)
      const row = Math.floor(own.y + own.h / 2) * frame.width
      const values = frame.planes.subarray(row + Math.floor(own.x), row + Math.floor(own.x + own.w))
      t.ok(Math.max(...values) - Math.min(...values) > 60, 'its letters are there')
    }
    const nobody = { ...OPTIONS, keptVehicle: { text: 'NOBODY1' } }
    t.equal((await anonymizeStill(bytes, { networks, options: nobody })).record.keptPlate, null)
  },
)

await t.test('a preview has outlines over what is hidden, never what is beneath', async (t) => {
  const picture = await halves(320, 240, '#20a020', '#20a020').png().toBuffer()
  const found = [{ kind: 'face', box: { x: 0.25, y: 0.25, w: 0.5, h: 0.5 }, score: 0.9 }] as const
  const detectors = finding(() => [...found])
  const options = { ...OPTIONS, preview: true }
  const { bytes } = await anonymizeStill(picture, { networks: { ...networks, detectors }, options })
  const { frame } = await decodePicture(bytes)
  const green = (x: number, y: number): number => frame.planes[y * frame.width + x] ?? -1
  t.equal(green(160, 180), 72, 'hidden')
  t.equal(green(5, 5), 0xa0, 'as it was')
  t.equal(frame.planes[2 * 320 * 240 + 120 * 320 + 47], 255, 'a red line to the left')
})

await t.test(
  'what the second search finds is hidden, too; what it still finds then is not written',
  async (t) => {
    const picture = await halves(320, 240, '#20a020', '#20a020').png().toBuffer()
    const face = { kind: 'face', box: { x: 0.1, y: 0.1, w: 0.2, h: 0.2 }, score: 0.9 } as const
    // A network that sees the face in the mirror only: what the search misses and the verification finds.
    let looks = 0
    const missing = finding((_, scale) => (scale === 1.5 && ++looks === 1 ? [face] : []))
    const made = await anonymizeStill(picture, {
      networks: { ...networks, detectors: missing },
      options: OPTIONS,
    })
    t.same(made.verification, { checkedFrames: 1, repairedFrames: 1 })
    t.ok(isHidden(made.record, { x: 240, y: 40, w: 16, h: 16 }), 'where the mirror shows it')

    const wandering = finding((_, scale) =>
      scale === 1.5 ? [{ ...face, box: { ...face.box, x: 0.1 + 0.3 * looks++ } }] : [],
    )
    looks = 0
    const source = join(folder, 'wandering.png')
    writeFileSync(source, picture)
    await t.rejects(
      anonymizeStill(picture, { networks: { ...networks, detectors: wandering }, options: OPTIONS }),
      {
        code: 'ERR_REDACTION_UNVERIFIED',
      },
    )
  },
)

await t.test('a box or a plate text is understood, and nothing else', async (t) => {
  t.same(parseKeptVehicle('10,20,300,200'), { box: { x: 10, y: 20, w: 300, h: 200 } })
  t.same(parseKeptVehicle('b-xy 123'), { text: 'BXY123' })
  for (const wrong of ['10,20,0,200', '10,20', '1.5,2,3,4', 'x', '']) {
    t.throws(() => parseKeptVehicle(wrong), { code: 'ERR_USAGE' }, wrong)
  }
})

/** Networks that find what they are told to. */
function finding(
  detect: (width: number, scale: number) => Awaited<ReturnType<Detectors['regions']['detect']>>,
): Detectors {
  return detectorsOf(async (frame, _, scale) => detect(frame.width, scale))
}
