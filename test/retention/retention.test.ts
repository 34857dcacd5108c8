import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { PurgeAccount } from '../../src/domain/purge.ts'
import type { LogFields } from '../../src/log.ts'
import { clockJudge } from '../../src/retention/clock.ts'
import { isPlausible } from '../../src/retention/policy.ts'
import { purge, type PurgeDeps } from '../../src/retention/purge.ts'
import { type RetentionDeps, startRetention } from '../../src/retention/schedule.ts'
import type { Store } from '../../src/store/open.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture } from '../store/store.fixture.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.parse('2026-03-01T08:00:00.000Z')
const policy = { tombstoneDays: 365, auditDays: 730, logDays: 30, certificateDays: 1095 }

const sign = (account: PurgeAccount): Buffer => Buffer.from(JSON.stringify(account))

function depsFor(
  store: Store,
  change: Partial<PurgeDeps> = {},
): PurgeDeps & { readonly warnings: (LogFields | undefined)[] } {
  const warnings: (LogFields | undefined)[] = []
  const quiet = (): void => undefined
  const logger = {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn: (_: string, fields?: LogFields) => warnings.push(fields),
  }
  const isClockPlausible = clockJudge({
    newestAt: () => store.expiry.newestAt(),
    isKept: async () => false,
  })
  return { store: store.expiry, policy, isClockPlausible, sign, logger, warnings, ...change }
}

async function run(
  store: Store,
  change: Pick<RetentionDeps, 'clock'> & Partial<RetentionDeps>,
  signal: AbortSignal,
): Promise<void> {
  await startRetention(
    { ...depsFor(store), schedule: '17 * * * *', timeZone: 'Europe/Berlin', ...change },
    signal,
  )
}

/** A clock that only moves while retention waits, or when it is told to. */
function clockAt(now: number): {
  now: number
  readonly run: (store: Store, until: number, schedule?: string) => Promise<number[]>
} {
  const clock = {
    now,
    /** Runs retention for so many ticks and returns when it purged. */
    run: async (store: Store, ticks: number, schedule = '17 * * * *'): Promise<number[]> => {
      const before = new Set(store.audit.list(1e6).map(({ sequence }) => sequence))
      const stop = new AbortController()
      let left = ticks
      const wait = async (ms: number): Promise<void> => {
        clock.now += ms
        if (--left <= 0) stop.abort()
      }
      await run(store, { clock: () => clock.now, wait, schedule }, stop.signal)
      const rows = store.audit
        .list(1e6)
        .filter(({ kind, sequence }) => kind === 'purge' && !before.has(sequence))
      return rows.map(({ at }) => at).reverse()
    },
  }
  return clock
}

await t.test('a purge deletes by each kind’s policy, and never what has no receipt', async (t) => {
  using store = openTestStore(t.testdir())
  const pending = sealedFixture()
  const delivered = sealedFixture()
  const held = sealedFixture()
  for (const sealed of [pending, delivered, held]) store.evidence.commit(sealed, aboutAt(START))
  store.holds.place(held.evidenceId, { reason: 'court', by: 'officer', at: START })
  for (const sealed of [delivered, held]) store.outbox.settle(receiptFor(sealed), START)

  t.match(await purge(depsFor(store), START + 364 * DAY), { evidence: 0, tombstones: 0, auditRows: 0 })
  t.match(await purge(depsFor(store), START + 366 * DAY), { evidence: 0, tombstones: 1, auditRows: 0 })
  store.holds.release(held.evidenceId, { reason: 'closed', by: 'officer', at: START + 367 * DAY })
  t.match(await purge(depsFor(store), START + 367 * DAY), { evidence: 1, tombstones: 0, auditRows: 0 })
  // Three commits, a hold, two receipts, one deletion.
  t.match(await purge(depsFor(store), START + 731 * DAY), { evidence: 0, auditRows: 7 })
  t.match(await purge(depsFor(store), START + 20_000 * DAY), { evidence: 0, tombstones: 1 })
  t.match(store.inventory.counts(), { pending: 1, tombstones: 0 })
  t.match(store.inventory.list(), [{ evidenceId: pending.evidenceId, state: 'pending' }])
  t.same(store.outbox.chunk(pending.evidenceId, 0), pending.chunks[0])
  t.match(store.audit.list(2), [
    { kind: 'purge-certified' },
    { kind: 'purge', details: { evidence: 0, tombstones: 1, logs: 0 } },
  ])
  store.audit.verify()
})

await t.test(
  'each purge that deletes leaves a certificate of all that went since the last one',
  async (t) => {
    using store = openTestStore(t.testdir())
    const accounts = (): PurgeAccount[] =>
      store.certificates
        .list(0, 100)
        .map(({ envelope }) => JSON.parse(Buffer.from(envelope).toString()) as PurgeAccount)
    const [first, second, third] = [sealedFixture(), sealedFixture(), sealedFixture()]
    for (const [i, sealed] of [first, second, third].entries()) {
      store.evidence.commit(sealed, aboutAt(START + i * HOUR))
    }
    await purge(depsFor(store), START + 3 * HOUR)
    t.same(accounts(), [], 'nothing was deleted')
    store.outbox.settle(receiptFor(first), START + 4 * HOUR)
    store.outbox.settle(receiptFor(second), START + 4 * HOUR)
    await purge(depsFor(store), START + 5 * HOUR)
    await purge(depsFor(store), START + 6 * HOUR)
    const rows = store.audit.list(100)
    const at = rows.find(({ kind, details }) => kind === 'purge-certified' && 'sha256' in details)
    t.equal(at?.details['certificateId'], accounts()[0]?.certificateId)
    t.match(accounts(), [
      {
        occasion: 'purge',
        clockPlausible: true,
        issuedAt: '2026-03-01T13:00:00.000Z',
        deletions: [
          { kind: 'evidence', count: 2, from: '2026-03-01T07:59:59.500Z', to: '2026-03-01T08:59:59.500Z' },
        ],
        audit: { logId: store.audit.ends().logId, after: 0, sequence: (at?.sequence ?? 0) - 1 },
      },
    ])
    t.equal(accounts()[0]?.audit.hash, store.audit.hashAt(accounts()[0]?.audit.sequence ?? 0))

    store.outbox.settle(receiptFor(third), START + 7 * HOUR)
    await purge(depsFor(store), START + 8 * HOUR)
    t.match(accounts()[1]?.deletions, [
      { kind: 'evidence', count: 1 },
      { kind: 'day-keys', count: 1, from: '2026-03-01T00:00:00.000Z' },
    ])
    await purge(depsFor(store), START + 1096 * DAY)
    t.match(accounts(), [
      {
        deletions: [
          { kind: 'tombstones', count: 3 },
          { kind: 'audit-rows' },
          {
            kind: 'certificates',
            count: 2,
            from: '2026-03-01T13:00:00.000Z',
            to: '2026-03-01T16:00:00.000Z',
          },
        ],
      },
    ])
  },
)

await t.test('old log files go, everything else in their folder stays', async (t) => {
  const folder = t.testdir()
  const logDirectory = join(folder, 'logs')
  mkdirSync(join(logDirectory, 'folder.log'), { recursive: true })
  for (const [name, ageDays] of [
    ['old.log', 31],
    ['young.log', 29],
    ['old.txt', 400],
  ] as const) {
    writeFileSync(join(logDirectory, name), 'x')
    const at = new Date(START - ageDays * DAY)
    utimesSync(join(logDirectory, name), at, at)
  }
  using store = openTestStore(folder)
  t.match(await purge(depsFor(store, { logDirectory }), START), { logs: 1 })
  t.same(readdirSync(logDirectory).sort(), ['folder.log', 'old.txt', 'young.log'])
  const deps = depsFor(store, { logDirectory: join(folder, 'none') })
  t.match(await purge(deps, START), { logs: 0 })
  t.equal(deps.warnings.length, 1, 'a folder that is missing is a warning')
})

await t.test('a clock that is obviously wrong purges nothing by age', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture()
  store.evidence.commit(sealed, aboutAt(START))
  store.outbox.settle(receiptFor(sealed), START)
  for (const now of [0, START - 30 * DAY, START - HOUR]) {
    const deps = depsFor(store, { policy: { ...policy, tombstoneDays: -10_000, auditDays: -10_000 } })
    t.match(await purge(deps, now), { tombstones: 0, auditRows: 0, clockPlausible: false })
    t.match(deps.warnings, [{ code: 'ERR_CLOCK_WRONG' }])
  }
  t.equal(store.inventory.counts().tombstones, 1)
  t.ok(isPlausible(START - 60_000, { builtAt: 0, newestAt: START }), 'a minute is no reason to distrust it')
  t.notOk(isPlausible(START - DAY, { builtAt: START, newestAt: undefined }))
})

await t.test('the purge runs in its slots, also across a change to summer time', async (t) => {
  using store = openTestStore(t.testdir())
  const clock = clockAt(Date.parse('2026-03-28T12:00:00.000Z'))
  const runs = await clock.run(store, 3 * 24 * 60, '30 2 * * *')
  t.same(
    runs.map((at) => new Date(at).toISOString()),
    // At once for the first time; on the 29th 02:30 does not exist and 03:00 stands in; then two hours ahead of UTC instead of one.
    [
      '2026-03-28T12:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
      '2026-03-31T00:30:00.000Z',
    ],
  )
})

await t.test('a slot that was missed is made up for once, and one that was kept is not', async (t) => {
  const folder = t.testdir()
  const clock = clockAt(START)
  {
    using store = openTestStore(folder)
    t.equal((await clock.run(store, 1)).length, 1)
  }
  using store = openTestStore(folder)
  clock.now = START + 10 * 60_000
  t.equal((await clock.run(store, 2)).length, 0, 'restarted before the slot')
  clock.now = START + 50 * HOUR
  t.same(await clock.run(store, 10), [START + 50 * HOUR], 'restarted after fifty slots')
})

await t.test('steps of the clock in either direction delay the purge by one period at most', async (t) => {
  using store = openTestStore(t.testdir())
  const clock = clockAt(START)
  await clock.run(store, 1)
  for (const step of [-HOUR, 2 * HOUR, -30 * DAY, DAY, -START, START, 365 * DAY]) {
    clock.now += step
    const from = clock.now
    const runs = await clock.run(store, 90)
    t.ok(runs.length === 1 || runs.length === 2 || runs.length === 3, `${step}: ${runs.length} runs`)
    t.ok((runs[0] ?? Infinity) - from <= HOUR, `${step}: within the hour`)
  }
  store.audit.verify()
})

await t.test('it ends when it is told to', async (t) => {
  using store = openTestStore(t.testdir())
  const stop = new AbortController()
  const running = run(store, { clock: () => START }, stop.signal)
  setTimeout(() => stop.abort(), 50)
  await running
  t.equal(store.expiry.lastRunAt('purge'), START)
})

await t.test('released evidence that the city has does not wait for the next slot', async (t) => {
  using store = openTestStore(t.testdir())
  const clock = clockAt(START)
  const sealed = sealedFixture()
  store.evidence.commit(sealed, aboutAt(START))
  store.holds.place(sealed.evidenceId, { reason: 'court', by: 'officer', at: START })
  store.outbox.settle(receiptFor(sealed), START)
  await clock.run(store, 1)
  t.match(store.inventory.list(), [{ state: 'delivered' }])
  store.holds.release(sealed.evidenceId, { reason: 'closed', by: 'officer', at: clock.now })
  t.same(await clock.run(store, 1), [])
  t.same(store.inventory.list(), [])
})
