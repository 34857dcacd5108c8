import t from 'tap'
import type { Detection } from '../../src/domain/detection.ts'
import type { Track } from '../../src/domain/track.ts'
import { createTracker } from '../../src/tracking/tracker.ts'
import { detected, detection } from '../support/tracks.ts'

/** Runs a tracker over frames and gives the tracks of each. */
function run(frames: readonly (readonly Detection[])[], startsAt = 0): (readonly Track[])[] {
  const tracker = createTracker({ cameraId: 'cam-1' })
  return frames.map((detections, index) => tracker.step(detected(index, detections, startsAt)).tracks)
}

const car = (x: number, y = 0.5, score = 0.8): Detection => detection({ x, y, w: 0.2, h: 0.15 }, score)
const idsOf = (frames: readonly (readonly Track[])[]): Set<string> =>
  new Set(frames.flatMap((tracks) => tracks.filter(({ state }) => state !== 'tentative').map(({ id }) => id)))

await t.test('a vehicle is tentative until it was seen three times, then it keeps one id', async (t) => {
  const frames = run(Array.from({ length: 10 }, (_, i) => [car(0.1 + i * 0.03)]))
  t.same(
    frames.slice(0, 4).map((tracks) => tracks[0]?.state),
    ['tentative', 'tentative', 'tracked', 'tracked'],
  )
  t.equal(idsOf(frames).size, 1)
})

await t.test('an id survives two seconds of occlusion while the vehicle drives on', async (t) => {
  const frames = run(Array.from({ length: 25 }, (_, i) => (i >= 8 && i < 17 ? [] : [car(0.1 + i * 0.02)])))
  t.equal(idsOf(frames).size, 1)
  t.equal(frames[12]?.[0]?.state, 'lost')
  t.equal(frames[20]?.[0]?.state, 'tracked')
})

await t.test('an id survives frames in which the vehicle is hardly found', async (t) => {
  const frames = run(
    Array.from({ length: 40 }, (_, i) => [car(0.1 + i * 0.01, 0.5, i > 6 && i < 35 ? 0.15 : 0.8)]),
  )
  t.equal(idsOf(frames).size, 1)
  t.ok(frames.slice(3).every((tracks) => tracks[0]?.state === 'tracked'))
})

await t.test('an unsure detection alone begins nothing', async (t) => {
  t.equal(idsOf(run(Array.from({ length: 20 }, () => [car(0.4, 0.5, 0.3)]))).size, 0)
})

await t.test('a moving vehicle that is gone for longer ends, and says so once', async (t) => {
  const frames = run(Array.from({ length: 30 }, (_, i) => (i < 8 ? [car(0.1 + i * 0.05)] : [])))
  t.equal(frames.flat().filter(({ state }) => state === 'ended').length, 1)
  t.same(frames.at(-1), [])
})

await t.test(
  'a parked car keeps its id for a quarter of an hour, through gaps of half a minute',
  async (t) => {
    const frames = run(
      Array.from({ length: 15 * 60 * 5 }, (_, i) => (i > 30 && i % 300 < 150 ? [] : [car(0.4)])),
    )
    t.equal(idsOf(frames).size, 1)
  },
)

await t.test('a car that drives past does not take the id of a parked one', async (t) => {
  const frames = run(
    Array.from({ length: 60 }, (_, i) => {
      const passing = detection({ x: -0.2 + i * 0.025, y: 0.52, w: 0.25, h: 0.2 }, 0.9)
      const isHidden = passing.box.x > 0.25 && passing.box.x < 0.5
      return isHidden ? [passing] : [passing, car(0.4)]
    }),
  )
  const parked = frames[10]?.find(({ box }) => Math.abs(box.x - 0.4) < 0.05)?.id
  t.ok(parked)
  t.equal(frames.at(-1)?.find(({ box }) => Math.abs(box.x - 0.4) < 0.02)?.id, parked)
})

await t.test('nor does one that shows up beside it while it is lost', async (t) => {
  const frames = run([
    ...Array.from({ length: 20 }, () => [car(0.4)]),
    ...Array.from({ length: 10 }, () => []),
    ...Array.from({ length: 10 }, (_, i) => [car(0.48 + i * 0.04)]),
    ...Array.from({ length: 10 }, () => [car(0.4)]),
  ])
  t.equal(frames.at(-1)?.find(({ box }) => Math.abs(box.x - 0.4) < 0.02)?.id, 'cam-1-1')
  t.ok(idsOf(frames).size >= 2)
})

await t.test('a parked car that somebody half hides stays itself', async (t) => {
  const { box } = car(0.4)
  const half = detection({ ...box, w: box.w * 0.35 })
  const frames = run([
    ...Array.from({ length: 20 }, () => [car(0.4)]),
    ...Array.from({ length: 30 }, () => [half]),
    ...Array.from({ length: 10 }, () => [car(0.4)]),
  ])
  t.same([...idsOf(frames)], ['cam-1-1'])
})

await t.test('two cars that meet keep their ids', async (t) => {
  const frames = run(
    Array.from({ length: 30 }, (_, i) => [car(0.05 + i * 0.025, 0.4), car(0.75 - i * 0.025, 0.5)]),
  )
  t.equal(idsOf(frames).size, 2)
  const [first, last] = [frames[3], frames.at(-1)]
  const upper = (tracks: readonly Track[] | undefined): string | undefined =>
    tracks?.find(({ box }) => box.y < 0.45)?.id
  t.equal(upper(last), upper(first))
})

await t.test('a person and a vehicle in the same place are never one track', async (t) => {
  const frames = run(
    Array.from({ length: 10 }, (_, i) => [i < 5 ? car(0.4) : detection(car(0.4).box, 0.8, 'person')]),
  )
  t.equal(idsOf(frames).size, 2)
})

await t.test('frames from the past or after a long gap end all tracks and begin new ones', async (t) => {
  for (const jump of [-10_000, 60_000]) {
    const tracker = createTracker({ cameraId: 'cam-1' })
    for (let i = 0; i < 10; i++) tracker.step(detected(i, [car(0.4)]))
    const [after] = tracker
      .step(detected(11, [car(0.4)], jump))
      .tracks.filter(({ state }) => state === 'ended')
    t.equal(after?.id, 'cam-1-1')
    for (let i = 12; i < 16; i++) tracker.step(detected(i, [car(0.4)], jump))
    t.same(
      tracker.step(detected(16, [car(0.4)], jump)).tracks.map(({ id }) => id),
      ['cam-1-2'],
    )
  }
})

await t.test('the class is what most of the life says, not the last frame', async (t) => {
  const frames = run(
    Array.from({ length: 12 }, (_, i) => [detection(car(0.4).box, 0.8, i % 4 === 3 ? 'truck' : 'car')]),
  )
  t.equal(frames.at(-1)?.[0]?.class, 'car')
})

await t.test('a car that parks where another one was lost gets an id of its own', async (t) => {
  const arriving = Array.from({ length: 20 }, (_, i) => car(-0.1 + i * 0.026))
  const frames = run([
    ...Array.from({ length: 30 }, () => [car(0.4)]),
    ...Array.from({ length: 15 }, () => []),
    ...arriving.map((detection) => [detection]),
    ...Array.from({ length: 30 }, () => [car(0.4)]),
  ])
  t.same(
    frames.at(-1)?.map(({ id, state }) => [id, state]),
    [['cam-1-2', 'tracked']],
    'and the lost one ends',
  )
})
