import t from 'tap'
import { openDatabase } from '../../src/store/database.ts'
import { aboutAt, openTestStore, sealedFixture, storeFileIn } from './store.fixture.ts'

function tamper(folder: string, sql: string): void {
  const db = openDatabase({ file: storeFileIn(folder), key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  db.exec(sql)
  db.close()
}

function fill(folder: string): void {
  using store = openTestStore(folder)
  for (let at = 1000; at < 1010; at++) store.evidence.commit(sealedFixture(100), aboutAt(at))
}

await t.test(
  'a discarded violation leaves one audit row and nothing else, however often it is told',
  async (t) => {
    using store = openTestStore(t.testdir())
    const discarded = {
      evidenceId: 'e',
      camera: 'north',
      ruleId: 'bus-stop',
      judgedAt: '2026-03-01T08:15:30.250Z',
      code: 'ERR_REDACTION_UNCHECKED',
    }
    store.evidence.recordDiscarded(discarded, 1000.7)
    store.evidence.recordDiscarded(discarded, 2000)
    t.same(store.audit.list(10), [{ sequence: 1, at: 1000, kind: 'evidence-discarded', details: discarded }])
    t.equal(store.inventory.counts().pending, 0)
    t.same([...store.inventory.discarded(1000)], [['ERR_REDACTION_UNCHECKED', 1]])
    t.same([...store.inventory.discarded(1001)], [])
  },
)

await t.test('every change from outside breaks the chain', async (t) => {
  const changes = [
    "UPDATE audit SET details = '{}' WHERE sequence = 5",
    'UPDATE audit SET at = at + 1 WHERE sequence = 1',
    "UPDATE audit SET kind = 'purge' WHERE sequence = 10",
    'DELETE FROM audit WHERE sequence = 1',
    'DELETE FROM audit WHERE sequence = 5',
    'DELETE FROM audit WHERE sequence = 10',
    'DELETE FROM audit',
    'UPDATE audit SET sequence = 11 WHERE sequence = 10',
    "INSERT INTO audit VALUES (11, 2000, 'purge', '{}', 'abc')",
    'UPDATE audit SET hash = (SELECT hash FROM audit WHERE sequence = 4) WHERE sequence = 5',
  ]
  for (const change of changes) {
    const folder = t.testdir()
    fill(folder)
    {
      using store = openTestStore(folder)
      t.equal(store.audit.verify().rows, 10)
    }
    tamper(folder, change)
    using store = openTestStore(folder)
    t.throws(() => store.audit.verify(), { code: 'ERR_AUDIT_BROKEN' }, change)
  }
})

await t.test('every fault is found with its place', async (t) => {
  const folder = t.testdir()
  fill(folder)
  tamper(folder, "UPDATE audit SET details = '{}' WHERE sequence = 3")
  tamper(folder, 'DELETE FROM audit WHERE sequence IN (6, 7, 10)')
  using store = openTestStore(folder)
  t.match(store.audit.check(), {
    rows: 7,
    faults: [
      { sequence: 3, kind: 'changed' },
      { sequence: 6, kind: 'missing', message: 'rows 6 to 7 are missing' },
      { sequence: 10, kind: 'missing', message: 'row 10 is missing' },
    ],
  })
})

await t.test('the old end can be cut, which is recorded, and the rest stays verifiable', async (t) => {
  const folder = t.testdir()
  fill(folder)
  {
    using store = openTestStore(folder)
    t.equal(store.expiry.cutAudit(1000, 1010).count, 0)
    t.equal(store.audit.ends().head.sequence, 10, 'nothing to cut is nothing to record')
    t.equal(store.expiry.cutAudit(1004, 1010).count, 4)
    t.equal(store.audit.verify().rows, 7)
    t.match(store.audit.list(1), [{ sequence: 11, at: 1010, kind: 'audit-pruned', details: { through: 4 } }])
    // The clock goes back by an hour and on again: what is too young keeps the rows before it.
    store.evidence.commit(sealedFixture(100), aboutAt(500))
    t.equal(store.expiry.cutAudit(1004, 1010).count, 0)
    t.equal(store.audit.verify().rows, 8)
    t.equal(store.expiry.cutAudit(5000, 5000).count, 8, 'everything may go')
    t.equal(store.audit.verify().rows, 1)
    store.evidence.commit(sealedFixture(100), aboutAt(6000))
    t.equal(store.audit.verify().rows, 2)
  }
  tamper(folder, 'UPDATE audit SET at = 1')
  using store = openTestStore(folder)
  t.throws(() => store.audit.verify(), { code: 'ERR_AUDIT_BROKEN' })
})

await t.test('who cuts the old end and moves the anchor by hand is found out', async (t) => {
  for (const prune of [false, true]) {
    const folder = t.testdir()
    fill(folder)
    if (prune) {
      using store = openTestStore(folder)
      store.expiry.cutAudit(1002, 1010)
    }
    tamper(
      folder,
      `UPDATE meta SET audit_anchor_sequence = 5, audit_anchor_hash = (SELECT hash FROM audit WHERE sequence = 5);
       DELETE FROM audit WHERE sequence <= 5`,
    )
    using store = openTestStore(folder)
    t.match(store.audit.check().faults, [{ sequence: 5, kind: 'cut' }])
  }
})
