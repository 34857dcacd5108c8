import t from 'tap'
import { decode } from '../../src/plates/read.ts'
import { voteText } from '../../src/plates/vote.ts'

const reading = (text: string, confidence: number, sequence = 0) => ({
  text,
  confidence,
  sequence,
  capturedAt: sequence * 200,
})

await t.test('agreeing sure readings give the text', async (t) => {
  const vote = voteText(
    [reading('KX47BRT', 0.98, 1), reading('KX47BRT', 0.99, 2), reading('KX47BRT', 0.97, 3)],
    0.85,
  )
  t.equal(vote.text, 'KX47BRT')
  t.equal(vote.best?.sequence, 2, 'the crop comes from the surest frame')
})

await t.test('readings that contradict each other give no text', async (t) => {
  const vote = voteText(
    [reading('KX47BRT', 0.95, 1), reading('KX47BRI', 0.94, 2), reading('KX47BRT', 0.95, 3)],
    0.85,
  )
  t.equal(vote.text, null)
  t.ok(vote.best)
})

await t.test('one frame alone never decides', async (t) => {
  t.equal(voteText([reading('KX47BRT', 1)], 0.85).text, null)
})

await t.test('blurred readings from far away do not drown sharp ones', async (t) => {
  const far = Array.from({ length: 10 }, (_, i) => reading(`X${i}47BRT`, 0.2, i))
  const vote = voteText([...far, reading('KX47BRT', 0.99, 11), reading('KX47BRT', 0.99, 12)], 0.85)
  t.equal(vote.text, 'KX47BRT')
})

await t.test('no readings, or only impossible ones, give nothing', async (t) => {
  t.same(voteText([], 0.85), { text: null, confidence: 0 })
  t.same(voteText([reading('A', 0.99), reading('ABCDEFGHIJ', 0.99)], 0.85), { text: null, confidence: 0 })
})

await t.test('a reading is as sure as its least sure letter, its end included', async (t) => {
  const network = { alphabet: 'AB_', padding: '_', slots: 3 }
  const read = decode(Float32Array.from([0.9, 0.1, 0, 0.2, 0.8, 0, 0.3, 0, 0.7]), network)
  t.equal(read.text, 'AB')
  t.ok(Math.abs(read.confidence - 0.7) < 1e-6)
})
