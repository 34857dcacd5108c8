import t from 'tap'
import { backoffMs, pause, untilAborted } from '../src/waiting.ts'

await t.test('waiting doubles up to its limit and is spread', async (t) => {
  t.strictSame(
    [1, 2, 3, 4, 9, 1000].map((attempt) => backoffMs(attempt, 1000, 8000, () => 1)),
    [1000, 2000, 4000, 8000, 8000, 8000],
  )
  t.equal(
    backoffMs(3, 1000, 8000, () => 0),
    2000,
  )
})

await t.test('a stop cuts a pause short', async () => {
  const stop = new AbortController()
  const pausing = pause(3_600_000, stop.signal)
  const stopped = untilAborted(stop.signal)
  stop.abort()
  await pausing
  await stopped
  await pause(3_600_000, stop.signal)
  await untilAborted(stop.signal)
})
