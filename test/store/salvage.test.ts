import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PurgeAccount } from '../../src/domain/purge.ts'
import { openDatabase } from '../../src/store/database.ts'
import { SHAPES } from '../../src/store/carved.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import { fileNameOf } from '../../src/store/evidence-files.ts'
import type { Store } from '../../src/store/open.ts'
import { keptLog } from '../support/kept-log.ts'
import { makeEarlier } from './earlier.fixture.ts'
import { openSalvaging } from './salvage.fixture.ts'
import {
  aboutAt,
  DAY,
  evidenceFileIn,
  isReadable,
  KEY,
  openTestStore,
  receiptFor,
  sealedFixture,
  START,
  storeFileIn,
} from './store.fixture.ts'

const PAGE = 4096

/** A store with six pending evidence, one under a hold, one delivered and held, one gone with its receipt. */
function filled(folder: string): {
  readonly pending: SealedParts[]
  readonly held: SealedParts
  readonly gone: SealedParts
} {
  const all = Array.from({ length: 8 }, () => sealedFixture(60_000))
  const [gone, held, ...pending] = all
  if (!gone || !held || !pending[0]) throw new Error('there are eight')
  using store = openTestStore(folder)
  all.forEach((sealed, i) => store.evidence.commit(sealed, aboutAt(START + i)))
  for (const { evidenceId } of [held, pending[0]])
    store.holds.place(evidenceId, { reason: 'court', by: 'officer', at: START + 50, caseNumber: '7' })
  for (const sealed of [gone, held]) store.outbox.settle(receiptFor(sealed), START + 100)
  return { pending, held, gone }
}

/** Where tables begin, for damage that hits one of them. */
function rootOf(folder: string, table: string): number {
  const db = openDatabase({ file: storeFileIn(folder), key: KEY, maxSizeMiB: 64 })
  const row = db
    .prepare<[string], { rootpage: number }>('SELECT rootpage FROM sqlite_schema WHERE name = ?')
    .get(table)
  db.close()
  return row?.rootpage ?? 0
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

/** The frame in the middle of a log says that it is of the last page that there can be. */
function misplaceFrame(wal: string): void {
  const bytes = readFileSync(wal)
  const frameBytes = 24 + PAGE
  bytes.writeUInt32BE(0xffffffff, 32 + Math.floor(bytes.length / frameBytes / 2) * frameBytes)
  writeFileSync(wal, bytes)
}

function allSaved(
  t: Test,
  store: Store,
  { pending, held, gone }: ReturnType<typeof filled>,
  what: string,
): void {
  t.ok(
    [...pending, held].every((sealed) => isReadable(store, sealed)),
    `${what}: evidence is readable`,
  )
  t.equal(store.inventory.counts().pending, pending.length, `${what}: what waits still waits`)
  t.equal(store.holds.list().length, 2, `${what}: holds hold`)
  t.ok(store.evidence.has(gone.evidenceId), `${what}: what is gone is known`)
  t.same(store.audit.check().faults, [], `${what}: the log explains itself`)
}

function headOf(folder: string) {
  using store = openTestStore(folder)
  return store.audit.ends().head
}

await t.test('damage in what all evidence shares costs none of it', async (t) => {
  for (const table of [
    'evidence',
    'evidence_key',
    'day_key',
    'outbox',
    'legal_hold',
    'meta',
    'tombstone',
    'audit',
    'sqlite',
  ]) {
    const folder = t.testdir()
    const stock = filled(folder)
    const before = headOf(folder)
    const root = table === 'sqlite' ? 1 : rootOf(folder, table)
    flip(storeFileIn(folder), (root - 1) * PAGE + 700)
    t.throws(() => openTestStore(folder), { code: /^ERR_STORE_/ }, `${table}: found`)
    using store = openSalvaging(folder, START + DAY)
    if (table === 'tombstone') t.equal(store.inventory.counts().pending, stock.pending.length)
    else allSaved(t, store, stock, table)
    t.ok(store.audit.ends().head.sequence > before.sequence, `${table}: numbers go on`)
    t.same(store.checkpoints.list(), [], `${table}: the city will see that the log was salvaged`)
    store.evidence.commit(sealedFixture(), aboutAt(START + DAY))
  }
})

await t.test(
  'sixteen damaged bytes at the beginning cost nothing, and a wrong key is still a wrong key',
  async (t) => {
    const folder = t.testdir()
    const stock = filled(folder)
    openTestStore(folder)[Symbol.dispose]()
    t.throws(() => openSalvaging(folder, START, { key: Buffer.alloc(32, 8) }), { code: 'ERR_STORE_KEY' })
    flip(storeFileIn(folder), 3)
    t.throws(() => openTestStore(folder), { code: 'ERR_STORE_KEY' })
    t.throws(() => openSalvaging(folder, START, { key: Buffer.alloc(32, 8) }), { code: 'ERR_STORE_KEY' })
    using store = openSalvaging(folder, START + DAY)
    allSaved(t, store, stock, 'salt')
  },
)

await t.test(
  'evidence with a damaged file is set aside alone, and found again only in the old files',
  async (t) => {
    const folder = t.testdir()
    const stock = filled(folder)
    const file = storeFileIn(folder)
    const [damaged] = stock.pending.slice(-1)
    if (!damaged) throw new Error('there are six')
    flip(evidenceFileIn(folder, damaged.evidenceId), 900)
    {
      using store = openSalvaging(folder, START + DAY)
      t.same(store.damage.setAsides(), [], 'what is in the files is not looked at when the store is opened')
      const unreadable = stock.pending.filter((sealed) => {
        try {
          return !isReadable(store, sealed)
        } catch (error) {
          t.match(error, { code: 'ERR_STORE_CORRUPT' })
          return true
        }
      })
      t.ok(unreadable.length === 1, `${unreadable.length} cannot be read, the others flow`)
    }
    using store = openSalvaging(folder, START + 2 * DAY)
    const [aside] = store.damage.setAsides()
    t.match(aside, { saved: 6, held: false })
    t.equal(aside?.lost.length, 1, 'the next start has set it aside')
    t.match(store.audit.list(3), [
      { kind: 'evidence-lost' },
      { kind: 'store-salvaged', details: { saved: 6, lost: 1 } },
    ])
    t.equal(store.inventory.counts().pending, 5)
    const old = join(`${file}.damaged`, aside?.name ?? '')
    t.ok(existsSync(join(old, 'roadveil.db')))
    t.ok(existsSync(join(old, `${fileNameOf(damaged.evidenceId)}.evidence`)))
    t.notOk(existsSync(evidenceFileIn(folder, damaged.evidenceId)))
    for (const name of readdirSync(old)) t.equal(statSync(join(old, name)).mode & 0o777, 0o600, name)
  },
)

for (const [what, damage] of [
  // A page of the second evidence: to SQLite the log ends there.
  ['a damaged log', (wal: string) => flip(wal, Math.floor(statSync(wal).size * 0.5))],
  ['a log that names a page billions of pages behind the end', misplaceFrame],
] as const)
  await t.test(`${what} is found, and what was committed behind the damage is saved`, async (t) => {
    const folder = t.testdir()
    const stored = [sealedFixture(60_000), sealedFixture(60_000), sealedFixture(60_000)]
    {
      using store = openTestStore(folder)
      for (const sealed of stored) store.evidence.commit(sealed, aboutAt(START))
      execFileSync('cp', ['-a', join(folder, 'store'), join(folder, 'cut')])
    }
    rmSync(join(folder, 'store'), { recursive: true })
    execFileSync('mv', [join(folder, 'cut'), join(folder, 'store')])
    damage(`${storeFileIn(folder)}-wal`)
    const log = keptLog()
    using store = openSalvaging(folder, START + DAY, { logger: log })
    const there = stored.filter(({ evidenceId }) =>
      store.inventory.list().some((each) => each.evidenceId === evidenceId),
    )
    t.ok(
      there.length >= 2 && there.every((sealed) => isReadable(store, sealed)),
      `${there.length} of 3 are saved`,
    )
    t.equal((store.damage.setAsides()[0]?.lost.length ?? 0) + there.length, 3, 'each is saved or named')
    t.match(log.lines, [{ level: 'error', message: /is damaged/ }, { message: 'the store is salvaged' }])
  })

await t.test('a file that is cut off or gone is found when the store is opened', async (t) => {
  for (const harm of ['cut off', 'gone'] as const) {
    const folder = t.testdir()
    const stock = filled(folder)
    const [hit] = stock.pending
    if (!hit) throw new Error('there are six')
    if (harm === 'gone') rmSync(evidenceFileIn(folder, hit.evidenceId))
    else truncateSync(evidenceFileIn(folder, hit.evidenceId), 60_000)
    t.throws(() => openTestStore(folder), { code: 'ERR_STORE_CORRUPT' }, harm)
    using store = openSalvaging(folder, START + DAY)
    t.match(store.damage.setAsides(), [{ saved: 6, lost: [hit.evidenceId] }])
    t.ok(stock.pending.slice(1).every((sealed) => isReadable(store, sealed)))
  }
})

await t.test('evidence of an earlier version is saved from a damaged database, chunk by chunk', async (t) => {
  const folder = t.testdir()
  const stock = filled(folder)
  makeEarlier(folder, [...stock.pending, stock.held], { at: START, isLayered: true })
  // A page of the last one.
  flip(storeFileIn(folder), statSync(storeFileIn(folder)).size - 8 * PAGE + 900)
  writeFileSync(`${storeFileIn(folder)}.distrusted`, '')
  using store = openSalvaging(folder, START + DAY)
  const [aside] = store.damage.setAsides()
  t.match(aside, { saved: 6 })
  const left = [...stock.pending, stock.held].filter(({ evidenceId }) => evidenceId !== aside?.lost[0])
  t.ok(left.length === 6 && left.every((sealed) => isReadable(store, sealed)))
  while (store.expiry.moveOlder(START + DAY));
  t.ok(left.every((sealed) => isReadable(store, sealed)))
})

await t.test('a log that a power cut tore at its end is no damage', async (t) => {
  const folder = t.testdir()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealedFixture(60_000), aboutAt(START))
    execFileSync('cp', ['-a', join(folder, 'store'), join(folder, 'cut')])
  }
  rmSync(join(folder, 'store'), { recursive: true })
  execFileSync('mv', [join(folder, 'cut'), join(folder, 'store')])
  const wal = `${storeFileIn(folder)}-wal`
  truncateSync(wal, statSync(wal).size - 5000)
  rmSync(`${storeFileIn(folder)}.mark`)
  using store = openSalvaging(folder, START + DAY)
  t.same(store.damage, { ...store.damage, missingRows: 0 })
  t.same(store.damage.setAsides(), [])
})

await t.test(
  'a store of which nothing is left is replaced, and its numbers are not used again',
  async (t) => {
    for (const left of [0, 100, 3 * PAGE]) {
      const folder = t.testdir()
      filled(folder)
      openTestStore(folder)[Symbol.dispose]()
      truncateSync(storeFileIn(folder), left)
      using store = openSalvaging(folder, START + DAY)
      const [aside] = store.damage.setAsides()
      const counted = (aside?.unnamed ?? 0) + (aside?.lost.length ?? 0)
      t.ok(counted >= 6, `${left} bytes: what waited is counted, ${counted}`)
      t.ok(store.audit.ends().head.sequence > 1000)
      t.same(store.audit.check().faults, [])
      store.evidence.commit(sealedFixture(), aboutAt(START + DAY))
      t.match(store.audit.list(1), [{ kind: 'evidence-committed', details: { sequence: 9 } }])
    }
  },
)

await t.test('an old copy that is put back is known by the mark beside it', async (t) => {
  const folder = t.testdir()
  filled(folder)
  const old = readFileSync(storeFileIn(folder))
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealedFixture(), aboutAt(START))
    t.equal(store.damage.missingRows, 0)
  }
  writeFileSync(storeFileIn(folder), old)
  const log = keptLog()
  using store = openSalvaging(folder, START, { logger: log })
  t.equal(store.damage.missingRows, 1)
  t.match(log.lines, [{ level: 'error', fields: { error: { code: 'ERR_STORE_ROLLED_BACK' } } }])
  store.evidence.commit(sealedFixture(), aboutAt(START))
  t.match(
    store.audit.list(1),
    [{ details: { sequence: 10 } }],
    'the number of what is missing is not given again',
  )
})

await t.test('a salvage that is interrupted anywhere is done again or is done', async (t) => {
  const folder = t.testdir()
  const stock = filled(folder)
  openTestStore(folder)[Symbol.dispose]()
  const file = storeFileIn(folder)
  flip(file, (rootOf(folder, 'evidence') - 1) * PAGE + 700)
  execFileSync('cp', ['-a', join(folder, 'store'), join(folder, 'damaged')])
  openSalvaging(folder, START + DAY)[Symbol.dispose]()
  const whole = readFileSync(file)
  const again = (change: () => void): void => {
    rmSync(join(folder, 'store'), { recursive: true })
    execFileSync('cp', ['-a', join(folder, 'damaged'), join(folder, 'store')])
    change()
    using store = openSalvaging(folder, START + 2 * DAY)
    allSaved(t, store, stock, String(change))
    t.equal(store.damage.setAsides().length, 1)
  }
  const begin = (): string => {
    execFileSync('mkdir', ['-p', '-m', '700', join(`${file}.damaged`, '20260302T080000Z')])
    return join(`${file}.damaged`, '20260302T080000Z')
  }
  const why = {
    at: '2026-03-02T08:00:00.000Z',
    code: 'ERR_STORE_CORRUPT',
    saved: 7,
    lost: [],
    lostUnderHold: [],
    unnamed: 0,
    held: false,
    dayKeyIds: [],
  }
  again(() => {
    begin()
    writeFileSync(`${file}.salvage`, 'half a store')
  })
  again(() => {
    writeFileSync(join(begin(), 'why.json'), JSON.stringify(why), { mode: 0o600 })
    writeFileSync(`${file}.salvaged`, whole, { mode: 0o600 })
  })
  again(() => {
    writeFileSync(join(begin(), 'why.json'), JSON.stringify(why), { mode: 0o600 })
    writeFileSync(`${file}.salvaged`, whole, { mode: 0o600 })
    execFileSync('mv', [file, join(begin(), 'roadveil.db')])
  })
})

await t.test(
  'what was set aside goes after its time, with the keys of what was lost, unless a hold is on it',
  async (t) => {
    for (const isHeld of [false, true]) {
      const folder = t.testdir()
      const sealed = sealedFixture(60_000)
      {
        using store = openTestStore(folder)
        store.evidence.commit(sealed, aboutAt(START))
        if (isHeld) store.holds.place(sealed.evidenceId, { reason: 'court', by: 'officer', at: START })
      }
      flip(evidenceFileIn(folder, sealed.evidenceId), 900)
      writeFileSync(`${storeFileIn(folder)}.distrusted`, '')
      using store = openSalvaging(folder, START + DAY)
      t.match(store.damage.setAsides(), [{ lost: [sealed.evidenceId], held: isHeld }])
      const halves = (): string[] => readdirSync(`${storeFileIn(folder)}.days`)
      t.equal(store.expiry.destroyDayKeys(START + 2 * DAY).count, 0, 'its key is kept as long as it is')
      t.equal(halves().length, 1)
      t.equal(store.expiry.deleteSetAsides(START + DAY).count, 0)
      t.equal(store.expiry.deleteSetAsides(START + 3 * DAY).count, isHeld ? 0 : 1)
      t.equal(store.expiry.destroyDayKeys(START + 3 * DAY).count, isHeld ? 0 : 1)
      t.equal(halves().length, isHeld ? 1 : 0)
    }
  },
)

/** One evidence that the city has and that is kept here by this hold, and then loses a bit of its bytes. */
function damagedUnder(t: Test, place: (store: Store, evidenceId: string) => void) {
  const folder = t.testdir()
  const sealed = sealedFixture(60_000)
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
    place(store, sealed.evidenceId)
    t.equal(store.outbox.settle(receiptFor(sealed), START + 5), 'held')
  }
  flip(evidenceFileIn(folder, sealed.evidenceId), 900)
  writeFileSync(`${storeFileIn(folder)}.distrusted`, '')
  return { folder, sealed }
}

const act = (at: number, caseNumber: string) => ({ reason: 'court', by: 'officer', at, caseNumber })

/** The kinds of deletions that the certificates of a store name. */
function certified(store: Store, at: number): readonly string[] {
  const kinds: string[] = []
  const sign = ({ deletions }: PurgeAccount): Uint8Array => {
    kinds.push(...deletions.map(({ kind, count }) => `${count} ${kind}`))
    return Buffer.from('signed')
  }
  store.expiry.recordPurge('purge', { details: {}, deletions: [], clockPlausible: true, sign }, at)
  return kinds
}

await t.test('held evidence that is lost is named with its case, and in no certificate', async (t) => {
  const { folder, sealed } = damagedUnder(t, (store, evidenceId) => {
    store.holds.place(evidenceId, act(START, '7/26'))
    store.holds.place(evidenceId, act(START, '8/26'))
    store.holds.placeOn({ camera: 'north', from: START - 500, until: START }, act(START, '9/26'))
    store.holds.placeOn({ camera: 'south' }, act(START, '10/26'))
  })
  const { evidenceId } = sealed
  using store = openSalvaging(folder, START + DAY)
  const cases = ['7/26', '8/26', '9/26']
  t.match(store.damage.setAsides(), [
    { saved: 0, lost: [evidenceId], lostUnderHold: [{ evidenceId, cases }], held: true },
  ])
  t.match(store.audit.list(4).toReversed(), [
    { kind: 'store-salvaged', details: { lost: 1 } },
    { kind: 'evidence-lost', details: { evidenceId, sequence: 1, held: 1, cases: cases.join(', ') } },
    { kind: 'hold-lost', details: { evidenceId, caseNumber: '7/26', by: 'roadveil' } },
    { kind: 'hold-lost', details: { evidenceId, caseNumber: '8/26' } },
  ])
  t.same(
    store.holds.list().map(({ caseNumber }) => caseNumber),
    ['9/26', '10/26'],
    'holds on criteria go on',
  )
  t.same(certified(store, START + DAY), [], 'nobody has purged it')
  t.equal(store.outbox.settle(receiptFor(sealed), START + DAY), 'already', 'the city has it')
  t.match(store.subjects.export({ evidenceId }, 'officer', START + DAY).tombstones, [{ why: /legal hold/ }])
})

await t.test('a hold of which only the log is left is a hold for what is lost, too', async (t) => {
  const { folder, sealed } = damagedUnder(t, (store, evidenceId) =>
    store.holds.place(evidenceId, act(START, '7/26')),
  )
  flip(storeFileIn(folder), (rootOf(folder, 'legal_hold') - 1) * PAGE + 700)
  const { evidenceId } = sealed
  using store = openSalvaging(folder, START + DAY)
  t.match(store.damage.setAsides(), [{ lostUnderHold: [{ evidenceId, cases: ['7/26'] }] }])
  t.match(store.audit.list(1), [{ kind: 'hold-lost', details: { evidenceId, caseNumber: '7/26' } }])
  t.same(certified(store, START + DAY), [])
})

await t.test(
  'where nobody knows any more what was held, what only a hold can have kept is lost',
  async (t) => {
    const { folder, sealed } = damagedUnder(t, (store, evidenceId) =>
      store.holds.place(evidenceId, act(START, '7/26')),
    )
    for (const table of ['legal_hold', 'audit'])
      flip(storeFileIn(folder), (rootOf(folder, table) - 1) * PAGE + 700)
    const { evidenceId } = sealed
    using store = openSalvaging(folder, START + DAY)
    t.match(store.damage.setAsides(), [{ lost: [evidenceId], lostUnderHold: [{ evidenceId, cases: [] }] }])
    t.same(certified(store, START + DAY), [])
  },
)

await t.test('evidence without a hold that the city has and damage takes counts as deleted', async (t) => {
  const { folder } = damagedUnder(t, (store, evidenceId) => store.holds.place(evidenceId, act(START, '7/26')))
  {
    using store = openTestStore(folder)
    store.holds.releaseCase('7/26', act(START + 9, '7/26'))
  }
  writeFileSync(`${storeFileIn(folder)}.distrusted`, '')
  using store = openSalvaging(folder, START + DAY)
  t.match(store.damage.setAsides(), [{ lost: [], lostUnderHold: [], held: false }])
  t.match(store.audit.list(1), [{ kind: 'evidence-deleted' }])
  t.same(certified(store, START + DAY), ['1 evidence'])
})

await t.test('a database that was cut off lacks pages, and so may lack holds', async (t) => {
  const { folder, sealed } = damagedUnder(t, (store, evidenceId) =>
    store.holds.place(evidenceId, act(START, '7/26')),
  )
  const { evidenceId } = sealed
  truncateSync(storeFileIn(folder), (rootOf(folder, 'legal_hold') - 1) * PAGE)
  using store = openSalvaging(folder, START + DAY)
  t.match(store.damage.setAsides(), [{ lostUnderHold: [{ evidenceId }] }])
  t.same(certified(store, START + DAY), [])
})

await t.test('a hold that a salvage places is in the log, so that the next one knows it', async (t) => {
  const folder = t.testdir()
  const { held } = filled(folder)
  for (const table of ['legal_hold', 'audit'])
    flip(storeFileIn(folder), (rootOf(folder, table) - 1) * PAGE + 700)
  openSalvaging(folder, START + DAY)[Symbol.dispose]()
  flip(storeFileIn(folder), (rootOf(folder, 'legal_hold') - 1) * PAGE + 700)
  using store = openSalvaging(folder, START + 2 * DAY)
  const [first] = store.holds.list()
  t.match(first, { caseNumber: /^salvage-2026-03-02T/, by: 'roadveil', at: START + DAY })
  t.ok(
    store.inventory
      .list()
      .every(({ holds }) => holds.some(({ caseNumber }) => caseNumber === first?.caseNumber)),
  )
  t.ok(store.inventory.list().some(({ evidenceId }) => evidenceId === held.evidenceId))
  store.evidence.commit(sealedFixture(), aboutAt(START + DAY))
  t.match(
    store.inventory.list().at(-1)?.holds,
    [{ by: 'roadveil' }],
    'a hold that is lost may have been on what comes later, too',
  )
})

await t.test('a receipt for evidence whose rows are damaged is not lost', async (t) => {
  const folder = t.testdir()
  const [sealed, other] = [sealedFixture(60_000), sealedFixture(60_000)]
  {
    using store = openTestStore(folder)
    for (const each of [other, sealed]) store.evidence.commit(each, aboutAt(START))
  }
  // Where the spares are, which go with it.
  flip(storeFileIn(folder), (rootOf(folder, 'chunk') - 1) * PAGE + 700)
  const seen: string[] = []
  {
    using store = openSalvaging(folder, START, { onDamage: ({ code }) => seen.push(code) })
    t.throws(() => store.outbox.settle(receiptFor(sealed), START + 5), { code: 'ERR_STORE_CORRUPT' })
    t.same(seen, ['ERR_STORE_CORRUPT'], 'the vault is told to start again')
    t.match(store.inventory.list(), [{ state: 'pending' }, { state: 'delivered' }])
  }
  using store = openSalvaging(folder, START + DAY)
  t.match(store.damage.setAsides(), [{ saved: 2, lost: [] }])
  t.match(store.inventory.list(), [{ state: 'pending' }, { state: 'delivered', holds: [] }])
  t.equal(store.expiry.deleteDelivered(START + DAY), 1)
  t.equal(store.outbox.settle(receiptFor(sealed), START + DAY), 'already')
})

await t.test('a store that another process uses is not salvaged under its hands', async (t) => {
  const folder = t.testdir()
  filled(folder)
  using store = openTestStore(folder)
  writeFileSync(`${storeFileIn(folder)}.distrusted`, '')
  t.throws(() => openSalvaging(folder, START), { code: 'ERR_STORE_LOCKED' })
  t.equal(store.inventory.counts().pending, 6)
})

await t.test('the shapes by which rows are known are those of the tables', async (t) => {
  const folder = t.testdir()
  openTestStore(folder)[Symbol.dispose]()
  const db = openDatabase({ file: storeFileIn(folder), key: KEY, maxSizeMiB: 64 })
  for (const [table, shape] of Object.entries(SHAPES)) {
    const columns = (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name)
    t.same(Object.keys(shape), columns, `${table}: a column that is not here is lost in a salvage`)
  }
  db.close()
})
