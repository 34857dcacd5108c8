import t from 'tap'
import { CLIP_MS, POST_ROLL_MS, planSpans } from '../../src/evidence/spans.ts'

await t.test(
  'a violation judged soon after the entry is one piece of twelve seconds that covers both',
  async (t) => {
    const [span, ...rest] = planSpans(100_000, 107_000)
    t.same(rest, [])
    t.equal(span.to - span.from, CLIP_MS)
    t.ok(span.from <= 98_000, 'begins before the entry')
    t.equal(span.to, 107_000 + POST_ROLL_MS)
  },
)

await t.test(
  'a long stay is shown around its entry and around the judgement, twelve seconds in all',
  async (t) => {
    const spans = planSpans(100_000, 700_000)
    t.equal(spans.length, 2)
    t.equal(
      spans.reduce((sum, { from, to }) => sum + to - from, 0),
      CLIP_MS,
    )
    t.ok(spans[0].from < 100_000 && spans[0].to > 100_000)
    t.ok((spans[1]?.from ?? Infinity) < 700_000 && (spans[1]?.to ?? 0) > 700_000)
  },
)

await t.test('the two pieces never overlap', async (t) => {
  for (let stay = 0; stay < 30_000; stay += 100) {
    const [first, second] = planSpans(100_000, 100_000 + stay)
    t.ok(!second || second.from >= first.to, `stay of ${stay} ms`)
  }
})
