import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLine, type Place } from '../../src/delivery/line.ts'

const never = new AbortController().signal

/** Notes when it is whose turn. */
function turns(): {
  readonly order: number[]
  readonly wait: (place: Place, name: number) => Promise<void>
} {
  const order: number[] = []
  return {
    order,
    wait: (place, name) => place.turn(never).then(() => void order.push(name)),
  }
}

await t.test('each waits for those before it, in whatever order they come', async (t) => {
  const line = createLine(60_000)
  const [third, first, second] = [line.join(3), line.join(1), line.join(2)]
  const { order, wait } = turns()
  t.equal(await first.turn(never), false)
  const all = [wait(third, 3), wait(second, 2), wait(first, 1)]
  await sleep(10)
  t.same(order, [1])
  first.leave('settled')
  await sleep(10)
  t.same(order, [1, 2])
  second.leave('unsettled')
  await Promise.all(all)
  t.same(order, [1, 2, 3])
})

await t.test('nobody waits longer than the patience for one that gets nowhere', async (t) => {
  const line = createLine(1000)
  const [first, second] = [line.join(1), line.join(2)]
  const beganAt = performance.now()
  const overtaking = second.turn(never)
  for (let times = 0; times < 4; times++) {
    await sleep(400)
    first.progressed()
    t.notOk(line.isStuck(), 'it gets on')
  }
  t.equal(await overtaking, true, 'who passes another is told so')
  t.ok(performance.now() - beganAt >= 4 * 400 + 950)
  t.ok(line.isStuck())

  first.leave('unsettled')
  t.ok(line.isStuck(), 'setting it aside moves nothing')
  second.leave('settled')
  t.notOk(line.isStuck())
})

await t.test("a broken connection takes nobody's place, and its time does not count", async (t) => {
  const line = createLine(1000)
  const first = line.join(1)
  await sleep(600)
  first.leave('unsettled')
  await sleep(1000)
  line.join(1)
  t.notOk(line.isStuck(), 'while there was no connection nobody could get anywhere')
  await sleep(600)
  t.ok(line.isStuck(), 'what was spent before it broke counts')
})

await t.test('waiting ends with the signal', async (t) => {
  const line = createLine(60_000)
  line.join(1)
  const ending = new AbortController()
  const waiting = line.join(2).turn(ending.signal)
  ending.abort(new Error('stop'))
  await t.rejects(waiting, { message: 'stop' })
})
