import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parseTruth } from '../../scripts/evaluate-privacy/ground-truth.ts'
import { objectsIn, parseKeyframes } from '../../scripts/evaluate-privacy/keyframes.ts'
import { frameAt, labelsOf } from '../../scripts/evaluate-privacy/labelled-clip.ts'
import { openClip } from '../../scripts/evaluate-privacy/open-clip.ts'

const LABELS = new URL('../../scripts/evaluate-privacy/labels/', import.meta.url)

const keyframes = {
  ...{ clip: 'one.mp4', sha256: '0'.repeat(64), width: 200, height: 100, frames: 20 },
  tracks: {
    'van/plate': [
      [4, 10, 20, 30, 8],
      [8, 50, 40, 34, 12],
    ],
    'driver/face': [[8, 0, 0, 10, 12]],
  },
}

await t.test('an object is on the line between two labels, and nowhere before and after them', async (t) => {
  const parsed = parseKeyframes(keyframes)
  t.strictSame(objectsIn(parsed, 3), [])
  t.strictSame(objectsIn(parsed, 5), [{ id: 'van/plate', kind: 'plate', box: { x: 20, y: 25, w: 31, h: 9 } }])
  t.strictSame(objectsIn(parsed, 8), [
    { id: 'van/plate', kind: 'plate', box: { x: 50, y: 40, w: 34, h: 12 } },
    { id: 'driver/face', kind: 'face', box: { x: 0, y: 0, w: 10, h: 12 } },
  ])
  t.strictSame(objectsIn(parsed, 9), [])
})

await t.test('labels that cannot be true are refused', async (t) => {
  const withTrack = (name: string, track: number[][]): unknown => ({
    ...keyframes,
    tracks: { [name]: track },
  })
  t.throws(() => parseKeyframes(withTrack('van/plate', [[4, 0, 0, 9, 9], [4, 0, 0, 9, 9]])), /not in order/) // prettier-ignore
  t.throws(() => parseKeyframes(withTrack('van/plate', [[20, 0, 0, 9, 9]])), /more than the clip has/)
  t.throws(
    () => parseKeyframes(withTrack('van/wheel', [[4, 0, 0, 9, 9]])),
    'only plates and faces are hidden',
  )
  t.throws(() => parseKeyframes(withTrack('van/plate', [])))
})

await t.test('a clip that is not there, or is another one, is named', async (t) => {
  const folder = t.testdir({ 'one.json': JSON.stringify(keyframes) })
  const [clip, labels] = [`${folder}/one.mp4`, `${folder}/one.json`]
  await t.rejects(openClip(clip, labels), { message: /one\.mp4 is not there/ })
  writeFileSync(clip, 'another clip')
  await t.rejects(openClip(clip, labels), { message: /another SHA-256/ })
})

await t.test('the labels that come with the project can be read, and lie in their clips', async (t) => {
  const files = readdirSync(LABELS).filter((name) => name.endsWith('.json'))
  t.ok(files.length > 0)
  for (const name of files) {
    const labels = parseKeyframes(JSON.parse(readFileSync(new URL(name, LABELS), 'utf8')))
    t.equal(labels.clip, name.replace(/\.json$/, '.mp4'))
    t.match(labels.sha256, /^[0-9a-f]{64}$/)
    t.ok(labelsOf(`/anywhere/${labels.clip}`)?.endsWith(name), 'the clip finds its labels')
    for (const [id, track] of Object.entries(labels.tracks)) {
      const isInside = track.every(
        ([, x, y, w, h]) =>
          x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= labels.width + 0.1 && y + h <= labels.height + 0.1,
      )
      t.ok(isInside, `${labels.clip}: ${id}`)
    }
  }
  t.equal(labelsOf('/anywhere/unknown.mp4'), undefined)
})

await t.test('a ground truth names what is seen well enough to be known', async (t) => {
  const face = { id: 'a/face', cls: 'face', box: [1, 2, 3, 4] }
  const objects = [face, { ...face, id: 'b/face', facing: -0.5 }, { ...face, id: 'c/face', visibility: 0.1 }]
  const clip = parseTruth('street.mp4', { width: 20, height: 10, frames: [{ t: 0, objects }] })
  t.strictSame(clip.objectsIn(0), [{ id: 'a/face', kind: 'face', box: { x: 1, y: 2, w: 3, h: 4 } }])
  t.strictSame(clip.objectsIn(1), [])
})

await t.test('a time belongs to the nearest frame, however uneven frames come', async (t) => {
  const times = [0, 0.04, 0.08, 0.2]
  t.strictSame(
    [0, 0.05, 0.13, 0.15, 9].map((seconds) => frameAt(times, seconds)),
    [0, 1, 2, 3, 3],
  )
})
