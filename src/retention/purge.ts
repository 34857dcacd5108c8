import { setImmediate } from 'node:timers/promises'
import { type EpochMs, iso } from '../domain/frame.ts'
import { ERRORS } from '../errors.ts'
import type { Logger } from '../log.ts'
import { deleteLogs } from './logs.ts'
import { cutoffsAt, isPlausible, type RetentionPolicy } from './policy.ts'

/** What retention needs of the store. Nothing in it reaches evidence without a receipt. */
export interface ExpiringStore {
  /** Deletes what the city has and no hold keeps. Returns how many. */
  deleteDelivered(at: EpochMs): number
  deleteTombstones(before: EpochMs): number
  cutAudit(before: EpochMs): number
  /** Audits a purge and notes it as the job's last run. */
  recordPurge(job: string, details: Readonly<Record<string, string | number>>, at: EpochMs): void
  lastRunAt(job: string): EpochMs | undefined
  /** The latest moment that the store knows of. */
  newestAt(): EpochMs | undefined
  /** Gives some free space back. Returns true while there is more. */
  compact(): boolean
}

/** How many of each kind a purge deleted. */
export interface Purged {
  readonly evidence: number
  readonly tombstones: number
  readonly auditRows: number
  readonly logs: number
  /** False when the clock was not believed and nothing was deleted by age. */
  readonly clockPlausible: boolean
}

export interface PurgeDeps {
  readonly store: ExpiringStore
  readonly policy: RetentionPolicy
  /** Where log files lie, if anywhere. */
  readonly logDirectory?: string
  /** When this program was built: no right clock is behind it. */
  readonly builtAt: EpochMs
  readonly logger: Logger
}

/** The job under which the store remembers the last purge. */
export const PURGE_JOB = 'purge'

/**
 * Deletes everything that may be kept no longer, and audits how many of each kind. Delivered evidence without a hold goes at once;
 * the rest goes by age, but never by a clock that is obviously wrong.
 *
 * Throws the store's coded errors; what was deleted before that stays deleted.
 */
export async function purge(
  { store, policy, logDirectory, builtAt, logger }: PurgeDeps,
  now: EpochMs,
): Promise<Purged> {
  const clockPlausible = isPlausible(now, { builtAt, newestAt: store.newestAt() })
  const evidence = store.deleteDelivered(now)
  let [tombstones, auditRows, logs] = [0, 0, 0]
  if (clockPlausible) {
    const cutoffs = cutoffsAt(policy, now)
    tombstones = store.deleteTombstones(cutoffs.tombstonesBefore)
    auditRows = store.cutAudit(cutoffs.auditBefore)
    if (logDirectory !== undefined) logs = await purgeLogs(logDirectory, cutoffs.logsBefore, logger)
  } else {
    logger.warn('the clock is behind what was recorded: nothing is purged by age', {
      code: 'ERR_CLOCK_WRONG',
      hint: ERRORS.ERR_CLOCK_WRONG.hint,
      at: iso(now),
    })
  }
  const counts = { evidence, tombstones, auditRows, logs }
  store.recordPurge(PURGE_JOB, clockPlausible ? counts : { ...counts, code: 'ERR_CLOCK_WRONG' }, now)
  // In steps, so that the outbox and the channel get their turn in between.
  while (store.compact()) await setImmediate()
  logger.info('purged', { count: evidence, total: evidence + tombstones + auditRows + logs })
  return { ...counts, clockPlausible }
}

/** Logs are the least of it: a folder that can't be read must not keep the rest from being purged and audited. */
async function purgeLogs(folder: string, before: EpochMs, logger: Logger): Promise<number> {
  try {
    return await deleteLogs(folder, before)
  } catch (error) {
    logger.warn('old log files could not be deleted', { error })
    return 0
  }
}
