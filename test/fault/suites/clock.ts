import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../../src/config/config.ts'
import { iso } from '../../../src/domain/frame.ts'
import type { PurgeAccount } from '../../../src/domain/purge.ts'
import { judgeCondition } from '../../../src/health/warnings.ts'
import type { SealedParts } from '../../../src/store/evidence.ts'
import type { Store } from '../../../src/store/open.ts'
import { createSubjectDesk } from '../../../src/vault/subject.ts'
import { wellUntil } from '../../health/condition.fixture.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture } from '../../store/store.fixture.ts'
import { keptLog } from '../../support/kept-log.ts'
import { cityOf } from '../clock/city.ts'
import { clockFactsReader, type ReadClockFacts } from '../clock/evidence.ts'
import { type ClockWatch, DAY, HOUR, judgeRuns, keptAt, MINUTE } from '../clock/watch.ts'
import { type Parts, POLICY, REAL, watchOf } from '../clock/watch.ts'
import { expectHarm } from '../control.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

/** How long the box is watched before and after the step. */
const WATCHED_TICKS = 130

/** Where the clock goes from `now`; to the change of summer time it does not jump but run. */
const STEPS = {
  '-30 d': (now: number) => now - 30 * DAY,
  '-1 h': (now: number) => now - HOUR,
  '+2 h': (now: number) => now + 2 * HOUR,
  '+1 d': (now: number) => now + DAY,
  '+10 y': (now: number) => now + 3652 * DAY,
  'boot in 1970': () => 12_000,
  'summer time': () => SUMMER_TIME,
  'winter time': () => WINTER_TIME,
} as const
type Step = keyof typeof STEPS
const STEP_NAMES = Object.keys(STEPS) as Step[]

const FIRST_START = Date.parse('2026-03-27T00:00:00.000Z')
const SUMMER_TIME = Date.parse('2026-03-29T00:30:00.000Z')
const WINTER_TIME = Date.parse('2026-10-25T00:30:00.000Z')
const EXPIRES_AT = Date.parse('2028-01-01T00:00:00.000Z')

/** What a box answers to a command that the city sends right after the step, valid for a week by the city's clock. */
const ANSWERS: Readonly<Record<Step, string>> = {
  '-30 d': 'ERR_CLOCK_WRONG',
  '-1 h': 'ERR_CLOCK_WRONG',
  '+2 h': 'done',
  '+1 d': 'done',
  '+10 y': 'ERR_COMMAND_EXPIRED',
  'boot in 1970': 'ERR_CLOCK_WRONG',
  'summer time': 'done',
  'winter time': 'done',
}

/**
 * The clock of the box is set, wrong or right, while evidence is made, waits, is confirmed, is held and is due to be purged, and while
 * the city commands.
 */
export const clock: FaultSuite = {
  name: 'clock',
  fault: 'clock -30 d, -1 h, +2 h, +1 d, +10 y, boot in 1970, change of summer time',
  counts: { short: 40, long: 160 },
  async run(rounds) {
    const { count, signal, tally } = rounds
    const readFacts = await clockFactsReader()
    for (let round = 0; round < count && !signal.aborted; round++) {
      const step = STEP_NAMES[round % STEP_NAMES.length] ?? '-1 h'
      tally.injected()
      await stepOnce({ step, round, readFacts, parts: REAL }, rounds)
    }
    let round = count
    for (const { step, what, ...broken } of CONTROLS)
      await expectHarm(rounds, 'broken', what, (judged) =>
        stepOnce({ step, round: round++, readFacts, parts: { ...REAL, ...broken } }, judged),
      )
  },
}

const CONTROLS: readonly (Partial<Parts> & { readonly step: Step; readonly what: string })[] = [
  {
    step: '-30 d',
    what: 'a box that never believes that its clock went back',
    retention: stubborn(),
  },
  {
    step: '+10 y',
    what: 'a box that believes no clock that was ahead once, whoever keeps it',
    judge: ({ newestAt }) => REAL.judge({ newestAt, isKept: async () => false }),
  },
  { step: '-1 h', what: 'a box that believes every clock', judge: () => async () => true },
  {
    step: '+1 d',
    what: 'evidence that calls every clock right',
    readClock: async (sources) => ({ ...(await REAL.readClock(sources)), synchronized: true, offsetMs: 0 }),
  },
]

/** Retention on a clock that it does not let go back, from one run to the next as well. */
function stubborn(): Parts['retention'] {
  let latest = 0
  return (deps, stop) =>
    REAL.retention({ ...deps, clock: () => (latest = Math.max(latest, deps.clock())) }, stop)
}

async function stepOnce(
  {
    step,
    round,
    readFacts,
    parts,
  }: {
    readonly step: Step
    readonly round: number
    readonly readFacts: ReadClockFacts
    readonly parts: Parts
  },
  { folder, dice, tally }: Rounds,
): Promise<void> {
  const harm = (what: string): void => tally.harm('broken', `${step}: ${what}`)
  const isOff = step !== 'summer time' && step !== 'winter time'
  const start = isOff
    ? FIRST_START + dice.between(0, 40 * DAY)
    : STEPS[step]() - 3 * HOUR - dice.between(0, DAY)
  using store = openTestStore(join(folder, `round-${round}`))
  const stock = fill(store, start)
  const watch = watchOf(store, start + 5 * MINUTE, parts)
  await watch.run(WATCHED_TICKS)
  const { isClockPlausible, sign } = watch
  const city = cityOf(store, { now: () => watch.now, isClockPlausible, sign })
  const expectAnswer = async (when: string, expected: string, at: number): Promise<void> => {
    const answer = await city.command(at)
    if (answer !== expected) harm(`a command ${when}: ${answer}`)
  }
  await expectAnswer('before', 'done', watch.now)

  const before = watch.now
  watch.now = STEPS[step](before)
  await judgeWorth(watch, { isBehind: ANSWERS[step] === 'ERR_CLOCK_WRONG', readFacts, harm })
  await expectAnswer('after the step', ANSWERS[step], isOff ? before : watch.now)
  const runs = await watch.run(step === 'boot in 1970' ? WATCHED_TICKS : WATCHED_TICKS + 240)
  judgeRuns(runs, harm)
  if (watch.shortestWaitMs < MINUTE) harm(`it waited only ${watch.shortestWaitMs} ms`)
  if (store.outbox.inOrder(10).length + store.outbox.setAside(watch.now, 10).length < stock.pending.length)
    harm('what waits for the city is not tried')
  judgeStock(store, stock, `${step}: `, tally)

  // The clock is right again, as its service says: from then on it counts as it should.
  if (isOff) {
    watch.now = start + 400 * DAY
    watch.isKept = true
    await judgeKept(watch, { readFacts, harm })
    await expectAnswer('once the clock is right again', 'done', watch.now)
    await eraseForSubject(store, watch, harm)
    const later = await watch.run(WATCHED_TICKS)
    judgeRuns(later, harm)
    if (store.inventory.counts().tombstones > 0)
      harm('old tombstones are kept though the clock is right again')
    judgeStock(store, stock, `${step}, right again: `, tally)
  }
  if (store.holds.list().length !== city.done + 1) harm('a command was not done once')
  store.audit.verify()
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

/** Somebody asks at the box that what remains of confirmed evidence be erased; the certificate says what the clock was worth. */
async function eraseForSubject(
  store: Store,
  { now, isClockPlausible, sign }: ClockWatch,
  harm: (what: string) => void,
): Promise<void> {
  const sealed = sealedFixture(1_000)
  const { evidenceId } = sealed
  store.evidence.commit(sealed, aboutAt(now - 2 * HOUR))
  store.outbox.settle(receiptFor(sealed), now - 2 * HOUR)
  const config = { site: { id: 'main-street' }, device: { id: 'box-1' }, retention: POLICY } as Config
  const deps = { config, store, sign, now: () => now, isClockPlausible, logger: keptLog() }
  const erased = await createSubjectDesk(deps).erase({ evidenceId, by: 'officer' })
  if (erased.tombstones.length !== 1) harm('a tombstone was not erased on request')
  const [certificate] = store.certificates.list(store.certificates.newest() - 1, 1)
  const account = JSON.parse(Buffer.from(certificate?.envelope ?? '{}').toString()) as Partial<PurgeAccount>
  if (account.occasion !== 'subject-request' || account.clockPlausible !== true)
    harm(`the certificate of an erasure says ${JSON.stringify(account)}`)
}

interface WorthJudge {
  readonly readFacts: ReadClockFacts
  readonly harm: (what: string) => void
}

/** What evidence says about a clock that nobody keeps, and what a person is told. */
async function judgeWorth(
  watch: ClockWatch,
  { isBehind, readFacts, harm }: WorthJudge & { readonly isBehind: boolean },
): Promise<void> {
  const { now, readClock } = watch
  const facts = await readFacts({ now, readClock })
  const { synchronized, source, offsetMs } = facts.clock
  if (synchronized !== false || source !== 'chrony' || offsetMs !== null)
    harm(`evidence says of its clock ${JSON.stringify(facts.clock)}`)
  if (facts.times.judged.host !== iso(now) || facts.times.judged.monotonicMs <= 0)
    harm(`evidence says that it was judged at ${JSON.stringify(facts.times.judged)}`)
  if (facts.sealedAt !== iso(now)) harm(`evidence says that it was sealed at ${facts.sealedAt}`)

  const warnings = await warningsOf(watch)
  if (!warnings.some(({ code, hint }) => code === 'ERR_CLOCK_UNSYNCHRONIZED' && hint !== ''))
    harm('no warning says that the clock is not synchronized')
  const isTold = warnings.some(({ code, hint }) => code === 'ERR_CLOCK_WRONG' && hint !== '')
  if (isTold !== isBehind) harm(`${isTold ? 'a' : 'no'} warning says that the clock is wrong`)
  const certificate = warnings.find(({ code }) => code === 'ERR_CERTIFICATE_EXPIRY')
  const isOver = now > EXPIRES_AT - 30 * DAY
  if ((certificate !== undefined) !== isOver) harm(`the certificate: ${certificate?.message ?? 'no warning'}`)
}

/** What they say once a time server keeps it. */
async function judgeKept(watch: ClockWatch, { readFacts, harm }: WorthJudge): Promise<void> {
  const { clock } = await readFacts({ now: watch.now, readClock: watch.readClock })
  if (!isDeepStrictEqual(clock, keptAt(watch.now)))
    harm(`evidence says of its right clock ${JSON.stringify(clock)}`)
  for (const { code, message } of await warningsOf(watch))
    if (code.startsWith('ERR_CLOCK')) harm(`a clock that is right: ${message}`)
}

async function warningsOf({ now, readClock, isClockPlausible }: ClockWatch) {
  const clockPlausible = await isClockPlausible(now)
  return judgeCondition({ ...wellUntil(EXPIRES_AT), clock: await readClock(), clockPlausible }, now)
}
