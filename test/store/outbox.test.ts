import { statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { openDatabase } from '../../src/store/database.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture, storeFileIn } from './store.fixture.ts'

/** Milliseconds: of many times the one that nothing else disturbed. */
function fastest(work: () => unknown): number {
  const times = Array.from({ length: 15 }, () => {
    const beganAt = performance.now()
    work()
    return performance.now() - beganAt
  })
  return Math.min(...times)
}

await t.test('what is next is found as fast in a long outbox as in a short one', (t) => {
  const folder = t.testdir()
  openTestStore(folder)[Symbol.dispose]()
  const db = openDatabase({ file: storeFileIn(folder), key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  const numbers = 'WITH RECURSIVE each(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE n < 30000)'
  db.exec(`
    ${numbers} INSERT INTO evidence (sequence, evidence_id, camera, rule_id, judged_at, committed_at, ciphertext_sha256,
      ciphertext_bytes, chunk_count) SELECT n, 'id-' || n, 'north', 'rule', n, n, 'hash', 1, 1 FROM each;
    ${numbers} INSERT INTO outbox (sequence, due_at) SELECT n, n FROM each;
    -- As an earlier version stored it: it needs no files.
    ${numbers} INSERT INTO manifest SELECT n, x'00' FROM each;
    UPDATE meta SET last_sequence = 30000;
  `)
  db.close()
  using store = openTestStore(folder)
  const { outbox, inventory } = store
  t.same(
    outbox.inOrder(2).map(({ evidenceId }) => evidenceId),
    ['id-1', 'id-2'],
  )
  outbox.recordAttempt('id-9', { at: 1, nextAt: 2, errorCode: 'ERR_BROKER' })
  t.equal(outbox.setAside(5, 6)[0]?.evidenceId, 'id-9')
  const all = fastest(() => inventory.counts())
  for (const find of [() => outbox.inOrder(6), () => outbox.setAside(5, 6)])
    t.ok(fastest(find) < all / 10, `not by going through all of it, which takes ${all.toFixed(1)} ms`)
  t.end()
})

await t.test(
  'evidence lies in a file of its own: neither database nor log grow with its size, nor the log with its number',
  async (t) => {
    const folder = t.testdir()
    using store = openTestStore(folder)
    const bytes = (suffix = ''): number => statSync(`${storeFileIn(folder)}${suffix}`).size
    const before = bytes()
    for (let index = 0; index < 6; index++)
      store.evidence.commit(sealedFixture(2_000_000), aboutAt(2000 + index))
    t.ok(bytes('-wal') < 1_000_000, `the log has ${bytes('-wal')} bytes`)
    for (let index = 0; index < 300; index++) {
      store.evidence.commit(sealedFixture(1000), aboutAt(3000 + index))
      await setImmediate()
    }
    t.ok(bytes('-wal') < 5_000_000, `and has ${bytes('-wal')} bytes after hundreds`)
    t.ok(bytes() - before < 2_000_000, `the database has ${bytes()} bytes`)
  },
)

await t.test('evidence is stored once, whoever asks how often', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture()
  t.notOk(store.evidence.has(sealed.evidenceId))
  t.equal(store.evidence.commit(sealed, aboutAt(1000)), 'stored')
  t.equal(store.evidence.commit(sealed, aboutAt(2000)), 'already')
  t.ok(store.evidence.has(sealed.evidenceId))
  const other = { ...sealedFixture(), evidenceId: sealed.evidenceId }
  t.throws(() => store.evidence.commit(other, aboutAt(3000)), { code: 'ERR_EVIDENCE_CONFLICT' })
  t.equal(store.audit.verify().rows, 1)

  store.outbox.settle(receiptFor(sealed), 4000)
  t.ok(store.evidence.has(sealed.evidenceId), 'its tombstone remembers it')
  t.equal(store.evidence.commit(sealed, aboutAt(5000)), 'already')
  t.throws(() => store.evidence.commit(other, aboutAt(5000)), { code: 'ERR_EVIDENCE_CONFLICT' })
  t.equal(store.inventory.counts().pending, 0)
})

await t.test('what only a hold keeps is sent again when the city asks for it, once', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture()
  const { evidenceId } = sealed
  store.evidence.commit(sealed, aboutAt(1000))
  store.holds.place(evidenceId, { reason: 'court order', by: 'ada', at: 1000 })
  t.equal(store.outbox.settle(receiptFor(sealed), 2000), 'held')
  t.same(store.outbox.inOrder(10), [])
  t.same(store.resends.queue({ evidenceIds: [evidenceId] }, 3000), { queued: 1, gone: [], unknown: [] })
  t.match(store.outbox.inOrder(10), [{ evidenceId }])
  t.equal(store.inventory.counts().pending, 0, 'the city has confirmed it all the same')
  t.equal(store.outbox.settle(receiptFor(sealed), 3000), 'held')
  t.same(store.outbox.inOrder(10), [])
  store.holds.release(evidenceId, { reason: 'closed', by: 'ada', at: 4000 })
  t.equal(store.expiry.deleteDelivered(4000), 1)
  t.same(store.resends.queue({ evidenceIds: [evidenceId] }, 5000), {
    queued: 0,
    gone: [evidenceId],
    unknown: [],
  })
  t.throws(() => store.resends.queue({ evidenceIds: ['none'] }, 5000), { code: 'ERR_EVIDENCE_UNKNOWN' })
})

await t.test('the outbox gives what is due in the order of storing, with every byte', async (t) => {
  using store = openTestStore(t.testdir())
  const all = [1000, 1001, 1002, 1003].map((at) => {
    const sealed = sealedFixture()
    store.evidence.commit(sealed, aboutAt(at))
    return sealed
  })
  const [first, second] = all
  if (!first || !second) throw new Error('four expected')
  const ids = (limit = 10): string[] => store.outbox.inOrder(limit).map((item) => item.evidenceId)
  const aside = (now: number): string[] => store.outbox.setAside(now, 10).map((item) => item.evidenceId)
  let inOrder = all.map((sealed) => sealed.evidenceId)
  t.same(ids(), inOrder)
  t.same(ids(2), [first.evidenceId, second.evidenceId])
  const item = store.outbox.inOrder(1)[0]
  t.match(item, { chunkCount: 3, attempts: 0 })
  first.chunks.forEach((chunk, index) => t.same(store.outbox.chunk(first.evidenceId, index), chunk))
  t.same(store.outbox.manifest(first.evidenceId), first.manifest)
  t.throws(() => store.outbox.chunk(first.evidenceId, 3), { code: 'ERR_EVIDENCE_UNKNOWN' })
  t.throws(() => store.outbox.manifest('none'), { code: 'ERR_EVIDENCE_UNKNOWN' })

  const third = all[2]?.evidenceId ?? ''
  t.equal(store.resends.queue({ evidenceIds: [third] }, 5000).queued, 1)
  t.same(ids(2), [third, first.evidenceId], 'what the city asks for comes first')
  store.outbox.recordAttempt(third, { at: 5000, nextAt: 9000, errorCode: 'ERR_BROKER' })
  t.same(ids(1), [first.evidenceId], 'and does not hold up the others')
  store.resends.queue({ criteria: { camera: 'north', from: 502, until: 503 } }, 5001)
  t.same(ids(1), [third], 'asked for again it is due at once')
  store.outbox.settle(receiptFor(all[2] ?? first), 5001)
  inOrder = inOrder.filter((id) => id !== third)

  store.outbox.recordAttempt(first.evidenceId, { at: 5000, nextAt: 8000, errorCode: 'ERR_BROKER' })
  t.same(ids(1), [second.evidenceId], 'it waits and the others flow')
  t.same(aside(7999), [])
  t.same(aside(8000), [first.evidenceId])
  t.same(store.outbox.setAside(8000, 10, ['ERR_OTHER', 'ERR_BROKER']), [], 'unless that is not to be tried')
  t.equal(store.outbox.setAside(8000, 10, ['ERR_OTHER']).length, 1)
  t.equal(store.outbox.setAside(8000, 1)[0]?.attempts, 1)
  t.equal(store.inventory.list()[0]?.lastErrorCode, 'ERR_BROKER')
  t.same(store.inventory.setAside(), [{ code: 'ERR_BROKER', count: 1 }])
  t.same(aside(4000), [first.evidenceId], 'nothing waits for a clock that went back')

  t.equal(store.outbox.backInOrder('ERR_OTHER'), 0)
  t.equal(store.outbox.backInOrder('ERR_BROKER', [first.evidenceId]), 0)
  t.equal(store.outbox.backInOrder('ERR_BROKER', [second.evidenceId]), 1)
  t.same(ids(), inOrder, 'it has its place back')
  store.outbox.recordAttempt(second.evidenceId, { at: 6000, nextAt: 6000, errorCode: 'ERR_BROKER' })
  t.same(ids(), inOrder, 'who is to be tried again at once keeps its place')
  t.same(store.inventory.setAside(), [])
})

await t.test('only a receipt that names the ciphertext deletes, and leaves a tombstone', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture()
  store.evidence.commit(sealed, aboutAt(1000))
  const settle: typeof store.outbox.settle = (receipt, at) => store.outbox.settle(receipt, at)

  t.throws(() => settle(receiptFor(sealed, { ciphertextSha256: 'a'.repeat(64) }), 2000), {
    code: 'ERR_RECEIPT_MISMATCH',
  })
  t.throws(() => settle(receiptFor(sealed, { deviceId: 'box-2' }), 2000), { code: 'ERR_RECEIPT_MISMATCH' })
  t.throws(() => settle(receiptFor(sealedFixture()), 2000), { code: 'ERR_EVIDENCE_UNKNOWN' })
  t.equal(settle(receiptFor(sealed, { status: 'incomplete', missing: [1] }), 2000), 'kept')
  t.equal(settle(receiptFor(sealed, { status: 'rejected', reason: 'ERR_X' }), 2000), 'kept')
  t.equal(store.inventory.counts().pending, 1)
  t.equal(store.outbox.inOrder(1).length, 1)

  t.equal(settle(receiptFor(sealed, { status: 'duplicate' }), 2000), 'deleted')
  t.equal(settle(receiptFor(sealed), 2001), 'already')
  t.throws(() => settle(receiptFor(sealed, { ciphertextSha256: 'a'.repeat(64) }), 2002), {
    code: 'ERR_RECEIPT_MISMATCH',
  })
  t.match(store.inventory.counts(), { pending: 0, tombstones: 1, bytes: 0, oldestPendingAt: null })
  t.same(store.outbox.inOrder(1), [])
  t.throws(() => store.outbox.chunk(sealed.evidenceId, 0), { code: 'ERR_EVIDENCE_UNKNOWN' })
  store.outbox.recordAttempt(sealed.evidenceId, { at: 3000, nextAt: 4000, errorCode: 'ERR_X' })
  t.same(
    store.audit.list(10).map(({ kind }) => kind),
    ['evidence-deleted', 'evidence-delivered', 'evidence-committed'],
  )
})

await t.test('sequence numbers rise by one and are not used again, also after reopening', async (t) => {
  const folder = t.testdir()
  for (const expected of [1, 2, 3]) {
    using store = openTestStore(folder)
    const sealed = sealedFixture(1000)
    store.evidence.commit(sealed, aboutAt(1000))
    t.match(store.audit.list(1), [{ kind: 'evidence-committed', details: { sequence: expected } }])
    store.outbox.settle(receiptFor(sealed), 2000)
  }
})

await t.test('held evidence survives its receipt and every purge until the release', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  const id = sealed.evidenceId
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(1000))
    store.holds.place(id, { caseNumber: '7/26', reason: 'court', by: 'officer', at: 1500 })
    t.throws(() => store.holds.place(id, { reason: 'again', by: 'officer', at: 1501 }), {
      code: 'ERR_HOLD_EXISTS',
    })
    t.throws(() => store.holds.place('none', { reason: 'x', by: 'y', at: 1 }), {
      code: 'ERR_EVIDENCE_UNKNOWN',
    })
    t.throws(() => store.holds.release('none', { reason: 'x', by: 'y', at: 1 }), {
      code: 'ERR_EVIDENCE_UNKNOWN',
    })
    t.equal(store.outbox.settle(receiptFor(sealed), 2000), 'held')
    t.equal(store.outbox.settle(receiptFor(sealed), 2001), 'held')
    t.equal(store.outbox.inOrder(10).length, 0, 'no longer in the outbox')
    t.equal(store.expiry.deleteDelivered(3000), 0)
  }
  using store = openTestStore(folder)
  t.equal(store.expiry.deleteDelivered(1e15), 0)
  t.same(store.outbox.chunk(id, 2), sealed.chunks[2])
  t.match(store.inventory.counts(), { pending: 0, holds: 1, tombstones: 0 })
  t.match(store.inventory.list(), [
    { state: 'delivered', holds: [{ caseNumber: '7/26', reason: 'court', by: 'officer', at: 1500 }] },
  ])

  store.holds.release(id, { reason: 'case closed', by: 'officer', at: 4000 })
  t.throws(() => store.holds.release(id, { reason: 'x', by: 'y', at: 1 }), { code: 'ERR_HOLD_UNKNOWN' })
  t.equal(store.expiry.deleteDelivered(5000), 1)
  t.match(store.inventory.counts(), { tombstones: 1 })
  t.same(store.inventory.list(), [])
  const kinds = store.audit.list(10).map(({ kind }) => kind)
  t.same(kinds, [
    'evidence-deleted',
    'hold-released',
    'evidence-delivered',
    'hold-placed',
    'evidence-committed',
  ])
})

await t.test('released evidence that the city does not have stays until it does', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture()
  store.evidence.commit(sealed, aboutAt(1000))
  store.holds.place(sealed.evidenceId, { reason: 'court', by: 'officer', at: 1500 })
  store.holds.release(sealed.evidenceId, { reason: 'closed', by: 'officer', at: 1600 })
  t.equal(store.expiry.deleteDelivered(1e15), 0)
  t.equal(store.outbox.inOrder(1).length, 1)
  t.equal(store.outbox.settle(receiptFor(sealed), 3000), 'deleted')
})
