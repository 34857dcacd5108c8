import { join } from 'node:path'
import { judgeCondition } from '../../../src/health/warnings.ts'
import { wellUntil } from '../../health/condition.fixture.ts'
import { readClockState } from '../../../src/health/clock.ts'
import type { PurgeAccount } from '../../../src/domain/purge.ts'
import { startRetention } from '../../../src/retention/schedule.ts'
import type { SealedParts } from '../../../src/store/evidence.ts'
import type { Store } from '../../../src/store/open.ts'
import { WRITTEN_AFTER } from '../../../src/vault/purging.ts'
import { keptLog } from '../../support/kept-log.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture } from '../../store/store.fixture.ts'
import { expectHarm } from '../control.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const POLICY = { tombstoneDays: 365, auditDays: 730, logDays: 30, certificateDays: 1095 }
/** Retention's period here, and how long it is watched before and after the step. */
const SCHEDULE = '17 * * * *'
const WATCHED_TICKS = 130
const PERIOD_TICKS = 61

/** Where the clock goes from `now`; to the change of summer time it does not jump but run. */
const STEPS = {
  '-30 d': (now: number) => now - 30 * DAY,
  '-1 h': (now: number) => now - HOUR,
  '+2 h': (now: number) => now + 2 * HOUR,
  '+1 d': (now: number) => now + DAY,
  '+10 y': (now: number) => now + 3652 * DAY,
  'boot in 1970': () => 12_000,
  'summer time': () => Date.parse('2026-03-29T00:30:00.000Z'),
  'winter time': () => Date.parse('2026-10-25T00:30:00.000Z'),
} as const
type Step = keyof typeof STEPS
const STEP_NAMES = Object.keys(STEPS) as Step[]

/** The clock of the box is set, wrong or right, while evidence waits, is confirmed, is held and is due to be purged. */
export const clock: FaultSuite = {
  name: 'clock',
  fault: 'clock -30 d, -1 h, +2 h, +1 d, +10 y, boot in 1970, change of summer time',
  counts: { short: 40, long: 160 },
  async run(rounds) {
    const { count, signal, tally } = rounds
    for (let round = 0; round < count && !signal.aborted; round++) {
      const step = STEP_NAMES[round % STEP_NAMES.length] ?? '-1 h'
      tally.injected()
      await stepOnce(step, round, rounds)
    }
    let latest = 0
    const stubborn: typeof startRetention = (deps, stop) =>
      startRetention({ ...deps, clock: () => (latest = Math.max(latest, deps.clock())) }, stop)
    await expectHarm(rounds, 'broken', 'a box that never believes that its clock went back', (broken) =>
      stepOnce('-30 d', count, broken, stubborn),
    )
  },
}

async function stepOnce(
  step: Step,
  round: number,
  { folder, dice, tally }: Rounds,
  retention = startRetention,
): Promise<void> {
  const harm = (what: string): void => tally.harm('broken', `${step}: ${what}`)
  const start = Date.parse('2026-03-27T00:00:00.000Z') + dice.between(0, 40 * DAY)
  using store = openTestStore(join(folder, `round-${round}`))
  const stock = fill(store, start)
  const watch = watchOf(store, start + 5 * MINUTE, retention)
  await watch.run(WATCHED_TICKS)

  const stepped = STEPS[step](watch.now)
  watch.now = stepped
  const isOff = step !== 'summer time' && step !== 'winter time'
  const runs = await watch.run(step === 'boot in 1970' ? WATCHED_TICKS : WATCHED_TICKS + 240)
  judgeRuns(runs, harm)
  if (watch.shortestWaitMs < MINUTE) harm(`it waited only ${watch.shortestWaitMs} ms`)
  if (store.outbox.inOrder(10).length + store.outbox.setAside(watch.now, 10).length < stock.pending.length)
    harm('what waits for the city is not tried')
  judgeStock(store, stock, `${step}: `, tally)

  // The clock is right again, as its service says: from then on age counts as it should.
  if (isOff) {
    watch.now = start + 400 * DAY
    watch.isKept = true
    const later = await watch.run(WATCHED_TICKS)
    judgeRuns(later, harm)
    if (store.inventory.counts().tombstones > 0)
      harm('old tombstones are kept though the clock is right again')
    judgeStock(store, stock, `${step}, right again: `, tally)
  }
  store.audit.verify()
  await judgeWorth(stepped, harm)
}

interface Stock {
  readonly pending: readonly SealedParts[]
  readonly held: SealedParts
}

/** Evidence that waits, one of it tried already; one that is confirmed and held; one that is confirmed and gone. */
function fill(store: Store, start: number): Stock {
  const [first, second, held, gone] = [1, 2, 3, 4].map(() => sealedFixture(20_000))
  if (!first || !second || !held || !gone) throw new Error('there are four')
  for (const sealed of [first, second, held, gone]) store.evidence.commit(sealed, aboutAt(start))
  store.holds.place(held.evidenceId, { reason: 'court', by: 'officer', at: start })
  for (const sealed of [held, gone]) store.outbox.settle(receiptFor(sealed), start)
  const attempt = { at: start, nextAt: start + 5 * MINUTE, errorCode: 'ERR_RECEIPT_MISSING' }
  store.outbox.recordAttempt(second.evidenceId, attempt)
  return { pending: [first, second], held }
}

function judgeStock(store: Store, { pending, held }: Stock, when: string, tally: Rounds['tally']): void {
  for (const { evidenceId, chunks } of [...pending, held]) {
    try {
      if (Buffer.from(store.outbox.chunk(evidenceId, 0)).equals(Buffer.from(chunks[0] ?? []))) continue
    } catch {
      // Gone, or its key is.
    }
    tally.harm('lost', `${when}${evidenceId === held.evidenceId ? 'held' : 'unconfirmed'} evidence is gone`)
  }
}

/** The real loop of retention on a clock that only moves while it waits, or when it is set. */
function watchOf(store: Store, now: number, retention: typeof startRetention) {
  const log = keptLog()
  const sign = (account: PurgeAccount): Buffer => Buffer.from(JSON.stringify(account))
  const watch = {
    now,
    isKept: false,
    shortestWaitMs: Infinity,
    /** Runs for so many ticks, and says at which of them it purged. */
    async run(ticks: number): Promise<{ readonly ticks: number; readonly purgedAt: readonly number[] }> {
      const stop = new AbortController()
      const purgedAt: number[] = []
      const purges = (): number => log.lines.filter(({ message }) => message === 'purged').length
      let [tick, seen] = [0, purges()]
      const wait = async (ms: number): Promise<void> => {
        watch.shortestWaitMs = Math.min(watch.shortestWaitMs, ms)
        if (purges() > seen) purgedAt.push(tick)
        seen = purges()
        watch.now += ms
        if (++tick >= ticks) stop.abort()
      }
      await retention(
        {
          ...{ store: store.expiry, policy: POLICY, builtAt: WRITTEN_AFTER, sign, logger: log },
          ...{ schedule: SCHEDULE, timeZone: 'Europe/Berlin', clock: () => watch.now, wait },
          isClockKept: async () => watch.isKept,
        },
        stop.signal,
      )
      return { ticks, purgedAt }
    },
  }
  return watch
}

/** Late by one period at most, and never more often than its slots but once to make up for one. */
function judgeRuns(
  { ticks, purgedAt }: { readonly ticks: number; readonly purgedAt: readonly number[] },
  harm: (what: string) => void,
): void {
  const gaps = [...purgedAt, ticks].map((at, i) => at - (purgedAt[i - 1] ?? 0))
  const longest = Math.max(...gaps)
  if (longest > PERIOD_TICKS) harm(`no purge for ${longest} minutes`)
  if (purgedAt.length > ticks / 60 + 2) harm(`${purgedAt.length} purges in ${ticks} minutes`)
}

/** What evidence says about such a clock, and what a person is told. */
async function judgeWorth(stepped: number, harm: (what: string) => void): Promise<void> {
  const sources = {
    timesyncDirectory: '/nowhere',
    run: async () => `7F7F0101,,10,${stepped / 1000},-0.5,0,0,0,0,0,0,0,0,Not synchronised\n`,
  }
  const worth = await readClockState(sources)
  if (worth.synchronized !== false || worth.offsetMs !== null)
    harm(`the clock counts as ${JSON.stringify(worth)}`)
  const warnings = judgeCondition({ ...wellUntil(EXPIRES_AT), clock: worth }, stepped)
  if (!warnings.some(({ code, hint }) => code === 'ERR_CLOCK_UNSYNCHRONIZED' && hint !== ''))
    harm('no warning says that the clock is not synchronized')
  const certificate = warnings.find(({ code }) => code === 'ERR_CERTIFICATE_EXPIRY')
  const isOver = stepped > EXPIRES_AT - 30 * DAY
  if ((certificate !== undefined) !== isOver) harm(`the certificate: ${certificate?.message ?? 'no warning'}`)
}

const EXPIRES_AT = Date.parse('2028-01-01T00:00:00.000Z')
