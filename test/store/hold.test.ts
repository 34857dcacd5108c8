import t from 'tap'
import { openDatabase } from '../../src/store/database.ts'
import { rekeyStore } from '../../src/store/rekey.ts'
import type { Store } from '../../src/store/open.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture, storeFileIn } from './store.fixture.ts'

const KEY = Buffer.alloc(32, 7)
const START = Date.parse('2026-03-01T08:00:00.000Z')
const act = (at = START) => ({ reason: 'court order', by: 'ada', at })

/** Stores evidence of this camera and rule that was judged at `judgedAt`, and lets the city confirm it. */
function delivered(store: Store, judgedAt: number, camera = 'north', ruleId = 'bus-stop'): string {
  const sealed = sealedFixture(1000)
  store.evidence.commit(sealed, { camera, ruleId, judgedAt, at: START })
  store.outbox.settle(receiptFor(sealed), START)
  return sealed.evidenceId
}

function kept(store: Store): string[] {
  store.expiry.deleteDelivered(START + 1e12)
  return store.inventory.list().map(({ evidenceId }) => evidenceId)
}

await t.test('a hold on criteria keeps what fits all of them, also what is stored later', async (t) => {
  using store = openTestStore(t.testdir())
  const early = sealedFixture(1000)
  store.evidence.commit(early, { camera: 'north', ruleId: 'bus-stop', judgedAt: START, at: START })
  const on = { camera: 'north', ruleId: 'bus-stop', from: START, until: START + 1000 }
  t.equal(store.holds.placeOn(on, { caseNumber: '7/26', ...act() }), 1)
  t.throws(() => store.holds.placeOn(on, { caseNumber: '7/26', ...act() }), { code: 'ERR_HOLD_EXISTS' })
  t.equal(store.outbox.settle(receiptFor(early), START), 'held')
  const later = delivered(store, START + 999)
  for (const [judgedAt, camera, ruleId] of [
    [START - 1, 'north', 'bus-stop'],
    [START + 1000, 'north', 'bus-stop'],
    [START, 'south', 'bus-stop'],
    [START, 'north', 'bus-lane'],
  ] as const) {
    delivered(store, judgedAt, camera, ruleId)
  }
  t.same(kept(store), [early.evidenceId, later])
  t.match(store.inventory.list()[1]?.holds, [{ caseNumber: '7/26', by: 'ada' }])
  t.equal(store.inventory.counts().holds, 2)
  t.throws(() => store.holds.release(later, act()), { code: 'ERR_HOLD_UNKNOWN' })
  t.throws(() => store.holds.releaseCase('8/26', act()), { code: 'ERR_HOLD_UNKNOWN' })
  t.equal(store.holds.releaseCase('7/26', { ...act(), reason: 'closed' }), 1)
  t.same(kept(store), [])
  t.same(store.holds.list(), [])
  const records = store.audit.list(100).filter(({ kind }) => kind.startsWith('hold-'))
  const scope = {
    caseNumber: '7/26',
    camera: 'north',
    ruleId: 'bus-stop',
    from: '2026-03-01T08:00:00.000Z',
    until: '2026-03-01T08:00:01.000Z',
    by: 'ada',
  }
  t.match(records, [
    { kind: 'hold-released', details: { ...scope, reason: 'closed' } },
    { kind: 'hold-placed', details: { ...scope, reason: 'court order' } },
  ])
  store.audit.verify()
})

await t.test('what several cases hold stays until the last of them lets go', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture(1000)
  const { evidenceId } = sealed
  store.evidence.commit(sealed, aboutAt(START))
  for (const caseNumber of ['7/26', '8/26']) store.holds.place(evidenceId, { caseNumber, ...act() })
  store.holds.placeOn({ camera: 'north' }, { caseNumber: '9/26', ...act() })
  store.outbox.settle(receiptFor(sealed), START)
  t.throws(() => store.holds.place(evidenceId, { caseNumber: '7/26', ...act() }), { code: 'ERR_HOLD_EXISTS' })
  t.throws(() => store.holds.release(evidenceId, act()), { code: 'ERR_HOLD_CASE' })
  store.holds.release(evidenceId, { caseNumber: '7/26', ...act() })
  t.same(kept(store), [evidenceId])
  t.equal(store.holds.releaseCase('9/26', act()), 1)
  t.same(kept(store), [evidenceId])
  store.holds.release(evidenceId, act())
  t.same(kept(store), [])
})

await t.test('holds stay through purges, receipts, restarts and a new database key', async (t) => {
  const folder = t.testdir()
  const newKey = Buffer.alloc(32, 8)
  const ids: string[] = []
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.holds.placeOn({ camera: 'north' }, { caseNumber: '7/26', ...act() })
    store.evidence.commit(sealed, aboutAt(START))
    ids.push(sealed.evidenceId, delivered(store, START))
    t.equal(store.outbox.settle(receiptFor(sealed), START), 'held')
  }
  const rotation = { prepare: async () => undefined, record: { keyId: 'x' }, at: START }
  await rekeyStore({ file: storeFileIn(folder), key: KEY, maxSizeMiB: 64 }, newKey, rotation)
  {
    using store = openTestStore(folder, { key: newKey })
    store.expiry.deleteTombstones(START + 1e12)
    store.expiry.cutAudit(START + 1e11, START)
    store.expiry.destroyDayKeys(START + 1e11)
    t.same(kept(store), ids)
    t.match(store.holds.list(), [{ caseNumber: '7/26', camera: 'north', evidenceId: null, at: START }])
    t.same(store.outbox.chunk(sealed.evidenceId, 1), sealed.chunks[1])
  }
  const db = openDatabase({ file: storeFileIn(folder), key: newKey, maxSizeMiB: 64 })
  t.throws(() => db.exec('DELETE FROM evidence'), /a legal hold is on it/, 'the database itself refuses')
  db.close()
})

await t.test('holds from before cases could hold are taken over', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture(1000)
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
  }
  const db = openDatabase({ file: storeFileIn(folder), key: KEY, maxSizeMiB: 64 })
  db.exec(`
    DROP INDEX outbox_in_order; DROP INDEX outbox_set_aside;
    DROP TABLE command; ALTER TABLE meta DROP COLUMN commands_forgotten;
    ALTER TABLE meta DROP COLUMN commands_until; ALTER TABLE meta DROP COLUMN commands_lost_until;
    ALTER TABLE meta DROP COLUMN commands_lost; ALTER TABLE outbox DROP COLUMN asked_for;
    DROP TRIGGER held_stays; DROP VIEW held; DROP TABLE legal_hold;
    CREATE TABLE hold (
      sequence INTEGER PRIMARY KEY REFERENCES evidence ON DELETE RESTRICT,
      case_number TEXT, reason TEXT NOT NULL, placed_by TEXT NOT NULL, placed_at INTEGER NOT NULL
    ) STRICT;
    INSERT INTO hold VALUES (1, NULL, 'court order', 'ada', 5);
  `)
  db.pragma('user_version = 3')
  db.close()
  using store = openTestStore(folder)
  t.equal(store.outbox.settle(receiptFor(sealed), START), 'held')
  t.match(store.holds.list(), [{ evidenceId: sealed.evidenceId, caseNumber: null, by: 'ada', at: 5 }])
  t.equal(store.inventory.counts().holds, 1)
})
