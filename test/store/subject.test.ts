import t from 'tap'
import type { PurgeAccount } from '../../src/domain/purge.ts'
import type { Store } from '../../src/store/open.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture } from './store.fixture.ts'

const HOUR = 3_600_000
const START = Date.parse('2026-03-01T08:00:00.000Z')
const sign = (account: PurgeAccount): Buffer => Buffer.from(JSON.stringify(account))
const span = { from: START - HOUR, until: START + HOUR }

function erase(store: Store, at: number, scope: Parameters<Store['subjects']['erase']>[0] = span) {
  return store.subjects.erase(scope, { by: 'ada', at, clockPlausible: true, sign })
}

function accounts(store: Store): PurgeAccount[] {
  const all = store.certificates.list(0, 100)
  return all.map(({ envelope }) => JSON.parse(Buffer.from(envelope).toString()) as PurgeAccount)
}

/** One of each kind: without a receipt, held though delivered, delivered and released, deleted. */
function fill(store: Store) {
  const all = [sealedFixture(), sealedFixture(), sealedFixture(), sealedFixture()] as const
  const [pending, held, released, deleted] = all
  for (const sealed of all) store.evidence.commit(sealed, aboutAt(START))
  const hold = { reason: 'court', by: 'ada', at: START, caseNumber: '7/26' }
  for (const { evidenceId } of [held, released]) store.holds.place(evidenceId, hold)
  for (const sealed of [held, released, deleted]) store.outbox.settle(receiptFor(sealed), START + 1)
  store.holds.release(released.evidenceId, hold)
  return { pending, held, released, deleted }
}

await t.test('a request gets a copy of all that is held about it, and is recorded', async (t) => {
  using store = openTestStore(t.testdir())
  const { pending, held, released, deleted } = fill(store)
  const discarded = { evidenceId: 'd', ruleId: 'r', judgedAt: '2026-03-01T08:00:00.000Z', code: 'ERR_X' }
  store.evidence.recordDiscarded({ ...discarded, camera: 'north' }, START)
  store.evidence.recordDiscarded({ ...discarded, evidenceId: 'e', camera: 'south' }, START)
  const copy = store.subjects.export({ ...span, camera: 'north' }, 'ada', START + HOUR)
  t.match(copy.evidence, [
    { evidenceId: pending.evidenceId, deliveredAt: null, held: false, camera: 'north', ruleId: 'bus-stop' },
    { evidenceId: held.evidenceId, deliveredAt: START + 1, held: true },
    { evidenceId: released.evidenceId, deliveredAt: START + 1, held: false },
  ])
  t.match(copy.tombstones, [{ evidenceId: deleted.evidenceId, deliveredAt: START + 1 }])
  const about = (id: string): string[] =>
    copy.audit.filter(({ details }) => details['evidenceId'] === id).map(({ kind }) => kind)
  t.same(about(deleted.evidenceId), ['evidence-committed', 'evidence-delivered', 'evidence-deleted'])
  t.same([about('d'), about('e')], [['evidence-discarded'], []])
  t.match(store.audit.list(1), [{ kind: 'subject-exported', details: { camera: 'north', by: 'ada' } }])

  const one = store.subjects.export({ evidenceId: pending.evidenceId }, 'ada', START)
  t.match([one.evidence.length, one.tombstones.length], [1, 0])
  const none = { from: START + HOUR, until: START + 2 * HOUR }
  t.same(store.subjects.export(none, 'ada', START), { evidence: [], tombstones: [], audit: [] })
  t.throws(() => store.subjects.export({ camera: 'north' }, 'ada', START), { code: 'ERR_SUBJECT_SCOPE' })
  store.audit.verify()
})

await t.test('an erasure erases what may go, says why the rest stays, and certifies it', async (t) => {
  using store = openTestStore(t.testdir())
  const { pending, held, released, deleted } = fill(store)
  const at = START + 2 * HOUR
  const result = erase(store, at)
  t.same(result.evidence, [released.evidenceId])
  t.same(result.tombstones, [released.evidenceId, deleted.evidenceId])
  t.same(result.kept, [
    { evidenceId: pending.evidenceId, because: 'unconfirmed' },
    { evidenceId: held.evidenceId, because: 'held' },
  ])
  t.ok(result.auditRows > 5)
  t.same(
    store.inventory.list().map(({ evidenceId }) => evidenceId),
    [pending.evidenceId, held.evidenceId],
  )
  t.equal(store.inventory.counts().tombstones, 0)
  t.same(store.outbox.chunk(pending.evidenceId, 0), pending.chunks[0])
  const judged = '2026-03-01T07:59:59.500Z'
  t.match(accounts(store), [
    { occasion: 'purge', deletions: [{ kind: 'evidence', count: 1 }] },
    {
      occasion: 'subject-request',
      deletions: [
        { kind: 'evidence', count: 1, from: judged, to: judged },
        { kind: 'tombstones', count: 2, from: judged, to: judged },
      ],
    },
  ])
  t.match(store.audit.list(2), [
    { kind: 'purge-certified' },
    { kind: 'subject-erased', details: { evidence: 1, tombstones: 2, kept: 2, by: 'ada' } },
  ])
  store.audit.verify()
})

await t.test('a tombstone that may still be needed stays for an hour', async (t) => {
  using store = openTestStore(t.testdir())
  const { deleted, released } = fill(store)
  const scope = { evidenceId: deleted.evidenceId }
  t.match(erase(store, START + 1000, scope), {
    tombstones: [],
    kept: [{ evidenceId: deleted.evidenceId, because: 'recent' }],
  })
  t.ok(store.evidence.has(deleted.evidenceId))
  t.match(erase(store, START + HOUR, scope), { tombstones: [deleted.evidenceId], kept: [] })
  t.notOk(store.evidence.has(deleted.evidenceId))
  t.ok(store.evidence.has(released.evidenceId), 'nothing else is touched')
  t.throws(() => store.outbox.settle(receiptFor(deleted), START), { code: 'ERR_EVIDENCE_UNKNOWN' })
})
