import { join } from 'node:path'
import t from 'tap'
import { verifyCheckpoint } from '../../src/sealing/checkpoint.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Store } from '../../src/store/open.ts'
import { type AuditChecked, recordStart, reportAudit } from '../../src/vault/audit.ts'
import { createWitness } from '../../src/vault/witness.ts'
import { signingKeyFixture, verifyKeysOf } from '../sealing/keys.fixture.ts'
import { openTestStore, storeFileIn } from '../store/store.fixture.ts'
import { keptLog } from '../support/kept-log.ts'

const DAY = 86_400_000
const START = Date.parse('2026-03-01T08:00:00.000Z')
const signingKey = signingKeyFixture()
const signers = verifyKeysOf(signingKey)
const deviceId = 'box-1'

function tamper(folder: string, sql: string): void {
  const db = openDatabase({ file: storeFileIn(folder), key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  db.exec(sql)
  db.close()
}

function record(store: Store, count: number): void {
  for (let i = 0; i < count; i++) store.audit.record('vault-started', { i }, START)
}

async function report(checked: AuditChecked, witnessed?: Uint8Array) {
  return reportAudit(checked, { witnessed, signal: new AbortController().signal })
}

/** A witness at work, and its clock. */
function startWitness(store: Store) {
  const clock = { now: START }
  const logger = keptLog()
  const witness = createWitness({
    store,
    site: 'hill-street',
    device: deviceId,
    signingKey,
    now: () => clock.now,
    logger,
  })
  const current = (): number | undefined => {
    const latest = witness.current()
    return latest && verifyCheckpoint(latest.envelope, { deviceId, deviceKeys: signers }).head.sequence
  }
  return { clock, logger, current }
}

await t.test('a checkpoint is signed at the start, after enough rows, and once a day', async (t) => {
  const folder = t.testdir()
  {
    using store = openTestStore(folder)
    const { clock, current } = startWitness(store)
    t.equal(current(), undefined, 'of nothing there is none')
    record(store, 1)
    t.equal(current(), 1)
    record(store, 63)
    t.equal(current(), 1)
    record(store, 1)
    t.equal(current(), 65)
    record(store, 1)
    clock.now += DAY - 1
    t.equal(current(), 65)
    clock.now += 1
    t.equal(current(), 66)
    clock.now += 9 * DAY
    t.equal(current(), 66, 'where nothing happened there is nothing to witness')
    clock.now = START - DAY
    record(store, 1)
    t.equal(current(), 67, 'a clock that went back does not put it off')
  }
  using store = openTestStore(folder)
  record(store, 1)
  t.equal(startWitness(store).current(), 68)
})

await t.test('a store that takes nothing is no failure of delivery, and is told of once', async (t) => {
  using store = openTestStore(t.testdir())
  record(store, 1)
  const { current, logger } = startWitness(store)
  store[Symbol.dispose]()
  t.equal(current(), undefined)
  t.equal(current(), undefined)
  recordStart(store, { version: '0.1.0', signingKeyId: signingKey.id }, { at: START, logger })
  t.equal(logger.lines.length, 2)
})

await t.test('a whole log goes through its checkpoints, the one of the city included', async (t) => {
  using store = openTestStore(t.testdir())
  const { current } = startWitness(store)
  for (let i = 0; i < 3; i++) {
    record(store, 64)
    current()
  }
  const witnessed = store.checkpoints.list()[1]?.envelope
  store.expiry.cutAudit(START + 1, START + 2)
  record(store, 5)
  const checked = { store, deviceId, signers }
  t.match(await report(checked, witnessed), {
    rows: 6,
    firstSequence: 193,
    lastSequence: 198,
    checkpoints: 4,
    faults: [],
  })
  await t.rejects(report({ ...checked, signers: verifyKeysOf(signingKeyFixture()) }, witnessed), {
    code: 'ERR_KEY_UNKNOWN',
  })
})

await t.test('a chain that was forged with the database key contradicts what was signed', async (t) => {
  const above = t.testdir()
  const [folder, copy] = [join(above, 'log'), join(above, 'other')]
  let witnessed: Uint8Array | undefined
  for (const each of [folder, copy]) {
    using store = openTestStore(each)
    const { current } = startWitness(store)
    record(store, 64)
    current()
    record(store, 64)
    current()
    if (each === folder) witnessed = store.checkpoints.latest()?.envelope
  }
  {
    using other = openTestStore(copy)
    const { faults } = await report({ store: other, deviceId, signers }, witnessed)
    t.match(faults, [{ kind: 'replaced' }], 'the log of another database')
  }

  // As from an old copy of the database that went its own way: a good chain, under the same name.
  tamper(
    folder,
    `DELETE FROM audit WHERE sequence > 40;
     UPDATE meta SET audit_head_sequence = 40, audit_head_hash = (SELECT hash FROM audit WHERE sequence = 40)`,
  )
  {
    using store = openTestStore(folder)
    const checked = { store, deviceId, signers }
    t.same(store.audit.check().faults, [], 'the chain alone shows nothing')
    t.match((await report(checked)).faults, [
      { sequence: 64, kind: 'rolled-back' },
      { sequence: 128, kind: 'rolled-back' },
    ])
    record(store, 60)
    t.match((await report(checked)).faults, [
      { sequence: 64, kind: 'forked' },
      { sequence: 128, kind: 'rolled-back' },
    ])
  }
  tamper(folder, "UPDATE checkpoint SET envelope = x'00' WHERE sequence = 64")
  {
    using store = openTestStore(folder)
    t.match((await report({ store, deviceId, signers })).faults[0], { sequence: 64, kind: 'unsigned' })
  }
  tamper(folder, 'DELETE FROM checkpoint')
  using store = openTestStore(folder)
  const checked = { store, deviceId, signers }
  t.same((await report(checked)).faults, [], 'who takes the checkpoints too leaves nothing here that tells')
  t.match((await report(checked, witnessed)).faults, [
    { sequence: 64, kind: 'forked' },
    { sequence: 128, kind: 'rolled-back' },
  ])
})

await t.test('the check in steps sees the whole log, also while it grows and is pruned', async (t) => {
  using store = openTestStore(t.testdir())
  record(store, 2500)
  const { signal } = new AbortController()
  const growing = store.audit.checkInSteps(signal)
  record(store, 10)
  t.match(await growing, { rows: 2510, faults: [] })
  const pruned = store.audit.checkInSteps(signal)
  store.expiry.cutAudit(START + 1, START + 1)
  t.match(await pruned, { rows: 1, faults: [] })
  const stopped = AbortSignal.abort(new Error('stop'))
  await t.rejects(store.audit.checkInSteps(stopped), { message: 'stop' })
})
