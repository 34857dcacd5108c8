import t from 'tap'
import { createBlame } from '../../src/delivery/blame.ts'

const BREAKS = 3

/** Some evidence of which each has one message on its way over a new connection. */
function sent(blame: ReturnType<typeof createBlame>, ids: readonly string[]) {
  blame.begin()
  return ids.map((id) => {
    const wire = blame.open()
    wire.unacknowledged = 1
    return { id, wire }
  })
}

await t.test(
  'evidence with which the connection breaks again and again while it is alone is why',
  async (t) => {
    const blame = createBlame(100)
    const judged = [1, 2, 3].map(() =>
      sent(blame, ['a']).map(({ id, wire }) => blame.isWhy(id, wire, BREAKS)),
    )
    t.same(judged.flat(), [false, false, true])
  },
)

await t.test(
  'several on their way are suspects, and none of them is why, however often it breaks',
  async (t) => {
    const blame = createBlame(100)
    for (let times = 0; times < 5; times++)
      for (const { id, wire } of sent(blame, ['a', 'b'])) t.notOk(blame.isWhy(id, wire, BREAKS))
    t.ok(blame.isSuspect('a') && blame.isSuspect('b'))
  },
)

await t.test('a suspect goes alone for longer each time', async (t) => {
  const blame = createBlame(100)
  const times = [1, 2, 3].map(() => {
    for (const { id, wire } of sent(blame, ['a', 'b'])) blame.isWhy(id, wire, BREAKS)
    return blame.aloneMs('a')
  })
  t.same(times, [100, 200, 400])
  t.equal(blame.aloneMs('somebody else'), 100)
})

await t.test(
  'evidence that had nothing on its way, or of which a chunk got through, is no suspect',
  async (t) => {
    const blame = createBlame(100)
    const [idle, moving] = sent(blame, ['idle', 'moving'])
    t.ok(idle && moving)
    if (!idle || !moving) return
    idle.wire.unacknowledged = 0
    moving.wire.chunks = 1
    for (const { id, wire } of [idle, moving]) t.notOk(blame.isWhy(id, wire, 1))
    t.notOk(blame.isSuspect('idle') || blame.isSuspect('moving'))
  },
)

await t.test('what ended before the connection did shares no blame', async (t) => {
  const blame = createBlame(100)
  for (let times = 0; times < BREAKS; times++) {
    const [ended, alone] = sent(blame, ['ended', 'alone'])
    if (!ended || !alone) return
    blame.close(ended.wire)
    t.equal(blame.isWhy(alone.id, alone.wire, BREAKS), times === BREAKS - 1)
  }
})

await t.test('once it got through, nothing is held against it', async (t) => {
  const blame = createBlame(100)
  for (const { id, wire } of sent(blame, ['a', 'b'])) blame.isWhy(id, wire, BREAKS)
  for (let times = 0; times < BREAKS - 1; times++)
    for (const { id, wire } of sent(blame, ['a'])) blame.isWhy(id, wire, BREAKS)
  blame.clear('a')
  t.notOk(blame.isSuspect('a'))
  for (const { id, wire } of sent(blame, ['a'])) t.notOk(blame.isWhy(id, wire, BREAKS))
})
