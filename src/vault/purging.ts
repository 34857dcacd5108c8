import { Cron } from 'croner'
import type { Config } from '../config/config.ts'
import type { EpochMs } from '../domain/frame.ts'
import type { Logger } from '../log.ts'
import type { IsClockPlausible } from '../retention/clock.ts'
import { PURGE_JOB } from '../retention/purge.ts'
import { startRetention } from '../retention/schedule.ts'
import type { SignAccount } from '../store/certificate.ts'
import type { Store } from '../store/open.ts'

/** Retention as vault runs it, and what status says about it. */
export interface Purging {
  run(signal: AbortSignal): Promise<void>
  lastRunAt(): EpochMs | undefined
  nextRunAt(): EpochMs | undefined
}

export function createPurging(deps: {
  readonly config: Config
  readonly store: Pick<Store, 'expiry'>
  readonly sign: SignAccount
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly isClockPlausible: IsClockPlausible
  readonly logger: Logger
}): Purging {
  const { config, store, sign, now, isClockPlausible, logger } = deps
  const { schedule, ...policy } = config.retention
  const { timeZone } = config.site
  const { directory } = config.logs
  return {
    run: async (signal) =>
      startRetention(
        {
          store: store.expiry,
          policy,
          ...(directory === undefined ? {} : { logDirectory: directory }),
          schedule,
          timeZone,
          clock: now,
          isClockPlausible,
          sign,
          logger,
        },
        signal,
      ),
    lastRunAt: () => store.expiry.lastRunAt(PURGE_JOB),
    nextRunAt: () =>
      new Cron(schedule, { timezone: timeZone, paused: true }).nextRun(new Date(now()))?.getTime(),
  }
}
