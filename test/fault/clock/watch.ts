import type { ClockState } from '../../../src/domain/evidence.ts'
import { iso } from '../../../src/domain/frame.ts'
import type { PurgeAccount } from '../../../src/domain/purge.ts'
import { isClockKept, readClockState } from '../../../src/health/clock.ts'
import { clockJudge, type IsClockPlausible } from '../../../src/retention/clock.ts'
import { startRetention } from '../../../src/retention/schedule.ts'
import type { Store } from '../../../src/store/open.ts'
import { keptLog } from '../../support/kept-log.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const POLICY = { tombstoneDays: 365, auditDays: 730, logDays: 30, certificateDays: 1095 }
/** Retention's period here. */
const SCHEDULE = '17 * * * *'
const PERIOD_TICKS = 61
const SYNCED_AGO = 64_000

/** The parts of the box that ask for the time, or what it is worth; a control puts something else in their place. */
export interface Parts {
  readonly retention: typeof startRetention
  readonly judge: typeof clockJudge
  readonly readClock: typeof readClockState
}

export const REAL: Parts = { retention: startRetention, judge: clockJudge, readClock: readClockState }

/** Which minutes of a run had a purge. */
export interface Runs {
  readonly ticks: number
  readonly purgedAt: readonly number[]
}

/** The clock of a box, which only moves while retention waits, or when it is set. */
export interface ClockWatch {
  now: number
  /** Whether a time server keeps it. */
  isKept: boolean
  readonly shortestWaitMs: number
  readonly isClockPlausible: IsClockPlausible
  /** What its time service says, to whoever asks. */
  readonly readClock: () => Promise<ClockState>
  readonly sign: (account: PurgeAccount) => Buffer
  /** Runs the real loop of retention for so many ticks, and says at which of them it purged. */
  run(ticks: number): Promise<Runs>
}

export function watchOf(store: Store, start: number, { retention, judge, readClock }: Parts): ClockWatch {
  const log = keptLog()
  const sources = {
    timesyncDirectory: '/nowhere',
    run: async () =>
      watch.isKept
        ? `A29FC87B,10.0.0.1,3,${(watch.now - SYNCED_AGO) / 1000},-0.00025,0,0,0,0,0,0,0,0,Normal\n`
        : `7F7F0101,,10,${watch.now / 1000},-0.5,0,0,0,0,0,0,0,0,Not synchronised\n`,
  }
  let shortestWaitMs = Infinity
  const watch: ClockWatch = {
    now: start,
    isKept: false,
    get shortestWaitMs() {
      return shortestWaitMs
    },
    isClockPlausible: judge({ newestAt: () => store.expiry.newestAt(), isKept: () => isClockKept(sources) }),
    readClock: () => readClock(sources),
    sign: (account) => Buffer.from(JSON.stringify(account)),
    async run(ticks) {
      const stop = new AbortController()
      const purgedAt: number[] = []
      const purges = (): number => log.lines.filter(({ message }) => message === 'purged').length
      let [tick, seen] = [0, purges()]
      const wait = async (ms: number): Promise<void> => {
        shortestWaitMs = Math.min(shortestWaitMs, ms)
        if (purges() > seen) purgedAt.push(tick)
        seen = purges()
        watch.now += ms
        if (++tick >= ticks) stop.abort()
      }
      const { isClockPlausible, sign } = watch
      await retention(
        {
          ...{ store: store.expiry, policy: POLICY, isClockPlausible, sign, logger: log },
          ...{ schedule: SCHEDULE, timeZone: 'Europe/Berlin', clock: () => watch.now, wait },
        },
        stop.signal,
      )
      return { ticks, purgedAt }
    },
  }
  return watch
}

/** Late by one period at most, and never more often than its slots but once to make up for one. */
export function judgeRuns({ ticks, purgedAt }: Runs, harm: (what: string) => void): void {
  const gaps = [...purgedAt, ticks].map((at, i) => at - (purgedAt[i - 1] ?? 0))
  const longest = Math.max(...gaps)
  if (longest > PERIOD_TICKS) harm(`no purge for ${longest} minutes`)
  if (purgedAt.length > ticks / 60 + 2) harm(`${purgedAt.length} purges in ${ticks} minutes`)
}

/** What a time service that keeps the clock at `now` says of it. */
export function keptAt(now: number): ClockState {
  return { synchronized: true, source: 'chrony', offsetMs: -0.25, lastSyncAt: iso(now - SYNCED_AGO) }
}
