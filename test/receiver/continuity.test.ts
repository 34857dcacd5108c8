import { createHash } from 'node:crypto'
import t from 'tap'
import type { AuditMark, Checkpoint } from '../../src/domain/checkpoint.ts'
import { judgeContinuity } from '../../src/receiver/continuity.ts'

/** A mark of one of several histories that have nothing in common but where they are said to branch. */
function mark(sequence: number, branch = 'main'): AuditMark {
  return { sequence, hash: createHash('sha256').update(`${branch}/${sequence}`).digest('hex') }
}

function checkpoint(head: AuditMark, marks: AuditMark[], hour: number, logId = 'a'): Checkpoint {
  const issuedAt = new Date(Date.parse('2026-03-01T00:00:00.000Z') + hour * 3_600_000).toISOString()
  return { site: 'hill-street', device: 'box-1', logId: logId.repeat(32), head, marks, issuedAt }
}

const last = checkpoint(mark(300), [mark(100), mark(200)], 3)

await t.test('a log that goes on is taken', async (t) => {
  t.equal(judgeContinuity(last, checkpoint(mark(400), [mark(200), mark(300)], 4)), 'next')
  t.equal(
    judgeContinuity(last, checkpoint(mark(900), [mark(300), mark(500), mark(700)], 9)),
    'next',
    'some were missed',
  )
  t.equal(
    judgeContinuity(last, checkpoint(mark(400), [mark(300)], -9)),
    'next',
    "the box's clock went back, its log did not",
  )
  t.equal(judgeContinuity(last, checkpoint(mark(300), [mark(100), mark(200)], 4)), 'next', 'signed anew')
})

await t.test('what comes twice or late is no alarm', async (t) => {
  t.equal(judgeContinuity(last, last), 'old')
  t.equal(judgeContinuity(last, checkpoint(mark(200), [mark(100)], 2)), 'old')
  t.equal(judgeContinuity(last, checkpoint(mark(50), [], 1)), 'old', 'from before all that is remembered')
})

await t.test('an old copy that was put back is an alarm', async (t) => {
  const back = [
    checkpoint(mark(210, 'other'), [mark(100), mark(200)], 4),
    checkpoint(mark(210), [mark(100), mark(200)], 2),
    checkpoint(mark(50), [], 4),
    checkpoint(mark(200, 'other'), [mark(100)], 4),
  ]
  for (const next of back) t.match(judgeContinuity(last, next), { code: 'ERR_AUDIT_ROLLED_BACK' })
})

await t.test('a log that went another way is an alarm, whichever way it goes', async (t) => {
  const forks = [
    checkpoint(mark(300, 'other'), [mark(200)], 4),
    checkpoint(mark(400, 'other'), [mark(100), mark(200)], 4),
    checkpoint(mark(400), [mark(200, 'other'), mark(300)], 4),
  ]
  for (const next of forks) t.match(judgeContinuity(last, next), { code: 'ERR_AUDIT_FORKED' })
})

await t.test('a new log, and one of which too little was heard, are alarms of their own', async (t) => {
  t.match(judgeContinuity(last, checkpoint(mark(1), [], 4, 'b')), { code: 'ERR_AUDIT_REPLACED' })
  t.match(judgeContinuity(last, checkpoint(mark(9000), [mark(8000)], 4)), { code: 'ERR_AUDIT_GAP' })
})
