import { Cron } from 'croner'
import { setTimeout } from 'node:timers/promises'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError } from '../errors.ts'
import { purge, PURGE_JOB, type PurgeDeps } from './purge.ts'

/** The clock is looked at this often, so that a step of it is noticed: no timer waits for a wall clock. */
const TICK_MS = 60_000

export interface RetentionDeps extends PurgeDeps {
  /** Cron pattern, in `timeZone`. */
  readonly schedule: string
  /** IANA time zone of the site. */
  readonly timeZone: string
  /** The host's clock. */
  readonly clock: () => EpochMs
  /** Waits; may reject when the signal is aborted. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

/**
 * Purges on schedule until the signal is aborted. A slot that went by while the box was off, or that a step of the clock jumped
 * over, is made up for once; after a step back the next slot is the next one on the new clock. Evidence that the city has goes
 * within a minute of its hold's release, whatever the schedule.
 *
 * Throws the store's coded errors, but for a full disk, which is tried again every minute.
 */
export async function startRetention(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  const { store, clock, logger, wait = waitFor } = deps
  // Only asked for its slots: it starts no timer.
  const cron = new Cron(deps.schedule, { timezone: deps.timeZone })
  let since = store.lastRunAt(PURGE_JOB)

  while (!signal.aborted) {
    const now = clock()
    // A last run in the future means that the clock went back since.
    if (since !== undefined && since > now) since = now
    const slot = since === undefined ? now : cron.nextRun(new Date(since))?.getTime()
    try {
      if (slot !== undefined && slot <= now) {
        await purge(deps, now)
        since = now
      } else {
        store.deleteDelivered(now)
      }
    } catch (error) {
      if (!isRoadveilError(error, 'ERR_STORE_FULL')) throw error
      logger.warn('the purge found no room to work in', { error })
    }
    await wait(TICK_MS, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal })
}
