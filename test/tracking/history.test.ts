import t from 'tap'
import { createTrackHistory } from '../../src/tracking/history.ts'
import { trackAt, tracked } from '../support/tracks.ts'

await t.test('a path has every place of a moving vehicle', async (t) => {
  const history = createTrackHistory()
  for (let i = 0; i < 50; i++) history.record(tracked(i * 200, [trackAt(0.1 + i * 0.01, 0.5)]))
  const path = history.path('cam-1-1', 2_000, 4_000)
  t.equal(path.length, 11)
  t.equal(path[0]?.capturedAt, 2_000)
})

await t.test('predicted places are marked as not seen', async (t) => {
  const history = createTrackHistory()
  for (let i = 0; i < 10; i++)
    history.record(tracked(i * 200, [trackAt(0.1 * i, 0.5, { state: i === 5 ? 'lost' : 'tracked' })]))
  t.same(
    history.path('cam-1-1', 0, 2_000).map(({ seen }) => seen),
    Array.from({ length: 10 }, (_, i) => i !== 5),
  )
})

await t.test('a vehicle that stands for a day fills a bounded path that still ends now', async (t) => {
  const history = createTrackHistory()
  const day = 24 * 60 * 60 * 1000
  for (let at = 0; at < day; at += 5_000) history.record(tracked(at, [trackAt(0.5, 0.5)]))
  const path = history.path('cam-1-1', 0, day)
  t.ok(path.length <= 4_000, `${path.length} points`)
  t.equal(path[0]?.capturedAt, 0)
  t.equal(path.at(-1)?.capturedAt, day - 5_000)
})

await t.test('an ended track is remembered for a minute and then forgotten', async (t) => {
  const history = createTrackHistory()
  history.record(tracked(0, [trackAt(0.5, 0.5)]))
  history.record(tracked(200, [trackAt(0.5, 0.5, { state: 'ended' })]))
  history.record(tracked(50_000, []))
  t.equal(history.path('cam-1-1', 0, 1_000).length, 1)
  history.record(tracked(61_000, []))
  t.same(history.path('cam-1-1', 0, 1_000), [])
})
