import t from 'tap'
import type { Box } from '../../src/domain/geometry.ts'
import { boxAt, chainBoxes } from '../../src/privacy/chain.ts'

const thing = (x: number, y = 0.5, w = 0.05, h = 0.05): { box: Box } => ({ box: { x, y, w, h } })

await t.test('a thing that moves steadily is one chain', async (t) => {
  const chains = chainBoxes(Array.from({ length: 10 }, (_, i) => [thing(0.1 + i * 0.02)]))
  t.equal(chains.length, 1)
  t.equal(chains[0]?.sightings.length, 10)
})

await t.test('two things that pass each other stay two chains', async (t) => {
  const chains = chainBoxes(
    Array.from({ length: 11 }, (_, i) => [thing(0.1 + i * 0.04, 0.5), thing(0.5 - i * 0.04, 0.53)]),
  )
  t.equal(chains.length, 2)
  for (const { sightings } of chains) {
    const steps = sightings.slice(1).map(({ box }, i) => Math.sign(box.x - (sightings[i]?.box.x ?? 0)))
    t.equal(new Set(steps).size, 1, 'each keeps its way')
  }
})

await t.test('a gap is filled on the line between its two ends', async (t) => {
  const frames = [[thing(0.1)], [thing(0.12)], [], [], [thing(0.18)]]
  const [chain] = chainBoxes(frames)
  t.ok(chain)
  if (!chain) return
  const middle = boxAt(chain, 3, 0)
  t.equal(middle?.seen, false)
  t.ok(middle && middle.box.x <= 0.16 && middle.box.x + middle.box.w >= 0.21, 'covers the place on the line')
})

await t.test(
  'beyond its ends a thing is followed backwards and forwards, growing, and then given up',
  async (t) => {
    const frames = [[], [], [thing(0.3)], [thing(0.32)], [], [], [], []]
    const [chain] = chainBoxes(frames)
    t.ok(chain)
    if (!chain) return
    const before = boxAt(chain, 0, 3)?.box
    const after = boxAt(chain, 6, 3)?.box
    t.ok(before && before.x < 0.26 + 1e-9 && before.x + before.w > 0.31 - 1e-9, 'backwards')
    t.ok(after && after.x < 0.38 + 1e-9 && after.x + after.w > 0.43 - 1e-9, 'forwards')
    t.ok(after && after.w > 0.05, 'grown')
    t.equal(boxAt(chain, 7, 3), undefined, 'given up')
  },
)

await t.test('a thing far away is not the same thing', async (t) => {
  t.equal(chainBoxes([[thing(0.1)], [thing(0.5)]]).length, 2)
})
