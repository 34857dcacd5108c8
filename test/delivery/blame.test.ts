import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createBlame, type Wire } from '../../src/delivery/blame.ts'

const BREAKS = 3
const SOON_MS = 100

type Blame = ReturnType<typeof createBlame>

/** What has just been sent over a new connection: one message each. */
function sent(blame: Blame, ids: readonly string[]): { readonly id: string; readonly wire: Wire }[] {
  blame.begin()
  return ids.map((id) => sendOne(blame, id))
}

function sendOne(blame: Blame, id: string): { readonly id: string; readonly wire: Wire } {
  const wire = blame.open()
  wire.sent()
  return { id, wire }
}

/** Whom the broken connection is believed to be the fault of. */
const blamed = (blame: Blame, tries: ReturnType<typeof sent>): string[] =>
  tries.filter(({ id, wire }) => blame.judge(id, wire, BREAKS)).map(({ id }) => id)

await t.test('evidence with which connections break again and again while it is alone is why', async (t) => {
  const blame = createBlame(SOON_MS)
  t.same(
    [1, 2, 3].map(() => blamed(blame, sent(blame, ['a']))),
    [[], [], ['a']],
  )
})

await t.test('several that were just sent are suspects, and none of them is why', async (t) => {
  const blame = createBlame(SOON_MS)
  for (let times = 0; times < 2 * BREAKS; times++) t.same(blamed(blame, sent(blame, ['a', 'b'])), [])
  t.ok(blame.isSuspect('a') && blame.isSuspect('b'))
})

await t.test('what the broker owes an answer for long is no reason to spare the one just sent', async (t) => {
  const blame = createBlame(SOON_MS)
  const judged: string[][] = []
  for (let times = 0; times < BREAKS; times++) {
    const silent = sent(blame, ['silent'])
    await sleep(SOON_MS + 10)
    judged.push(blamed(blame, [sendOne(blame, 'poison')]))
    t.same(blamed(blame, silent), times === BREAKS - 1 ? ['silent'] : [], 'it counts for itself, too')
  }
  t.same(judged, [[], [], ['poison']])
  t.notOk(blame.isSuspect('silent'))
})

await t.test('when it is known why the connection ends, what was just sent is spared', async (t) => {
  const blame = createBlame(SOON_MS)
  for (let times = 0; times < 2 * BREAKS; times++) {
    const tries = sent(blame, ['a'])
    blame.acquitOthers()
    t.same(blamed(blame, tries), [])
  }
  t.notOk(blame.isSuspect('a'))
})

await t.test(
  'evidence that had nothing on its way, or of which a chunk got through, is no suspect',
  async (t) => {
    const blame = createBlame(SOON_MS)
    const [idle, moving] = sent(blame, ['idle', 'moving'])
    idle?.wire.acknowledged('manifest')
    moving?.wire.acknowledged('chunk')
    moving?.wire.sent()
    for (const { id, wire } of [idle, moving].filter((one) => one !== undefined))
      t.notOk(blame.judge(id, wire, 1), id)
    t.notOk(blame.isSuspect('idle') || blame.isSuspect('moving'))
  },
)

await t.test('what ended before the connection did is not on its way any more', async (t) => {
  const blame = createBlame(SOON_MS)
  const judged: string[][] = []
  for (let times = 0; times < BREAKS; times++) {
    const [ended, ...alone] = sent(blame, ['ended', 'alone'])
    if (ended) blame.close(ended.wire)
    judged.push(blamed(blame, alone))
  }
  t.same(judged, [[], [], ['alone']])
})

await t.test('once it got through, nothing is held against it', async (t) => {
  const blame = createBlame(SOON_MS)
  for (let times = 1; times < BREAKS; times++) blamed(blame, sent(blame, ['a']))
  blame.clear('a')
  t.notOk(blame.isSuspect('a'))
  t.same(blamed(blame, sent(blame, ['a'])), [])
})
