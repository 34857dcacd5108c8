import { setImmediate } from 'node:timers/promises'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Deleted, Deletion, PurgeAccount, PurgedKind } from '../domain/purge.ts'
import { ERRORS } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Expiry } from '../store/expiry.ts'
import { deleteLogs } from './logs.ts'
import type { IsClockPlausible } from './clock.ts'
import { cutoffsAt, type RetentionPolicy } from './policy.ts'

/** How many of each kind a purge deleted. */
export interface Purged {
  readonly evidence: number
  readonly tombstones: number
  readonly auditRows: number
  readonly logs: number
  readonly certificates: number
  readonly dayKeys: number
  readonly damagedStores: number
  /** False when the clock was not believed and nothing was deleted by age. */
  readonly clockPlausible: boolean
}

export interface PurgeDeps {
  readonly store: Expiry
  readonly policy: RetentionPolicy
  /** Where log files lie, if anywhere. */
  readonly logDirectory?: string
  readonly isClockPlausible: IsClockPlausible
  /** Signs a purge certificate. */
  readonly sign: (account: PurgeAccount) => Uint8Array
  readonly logger: Logger
}

/** The job under which the store remembers the last purge. */
export const PURGE_JOB = 'purge'

/**
 * Deletes everything that may be kept no longer, audits how many of each kind, and leaves a certificate of it. Delivered evidence without a hold goes at once;
 * the rest goes by age, but never by a clock that is obviously wrong.
 *
 * Throws the store's coded errors; what was deleted before that stays deleted.
 */
export async function purge(
  { store, policy, logDirectory, isClockPlausible, sign, logger }: PurgeDeps,
  now: EpochMs,
): Promise<Purged> {
  const clockPlausible = await isClockPlausible(now)
  const evidence = store.deleteDelivered(now)
  let [tombstones, auditRows, logs, certificates, damagedStores] = [NONE, NONE, NONE, NONE, NONE]
  if (clockPlausible) {
    const cutoffs = cutoffsAt(policy, now)
    tombstones = store.deleteTombstones(cutoffs.tombstonesBefore)
    auditRows = store.cutAudit(cutoffs.auditBefore, now)
    certificates = store.deleteCertificates(cutoffs.certificatesBefore)
    damagedStores = store.deleteSetAsides(cutoffs.setAsideBefore)
    if (logDirectory !== undefined) logs = await purgeLogs(logDirectory, cutoffs.logsBefore, logger)
  } else {
    logger.warn('the clock is behind what was recorded: nothing is purged by age', {
      code: 'ERR_CLOCK_WRONG',
      hint: ERRORS.ERR_CLOCK_WRONG.hint,
      at: iso(now),
    })
  }
  // At last: what was set aside needs the keys of its days as long as it is there.
  const dayKeys = store.destroyDayKeys(now)
  const counts = {
    evidence,
    tombstones: tombstones.count,
    auditRows: auditRows.count,
    logs: logs.count,
    certificates: certificates.count,
    dayKeys: dayKeys.count,
    damagedStores: damagedStores.count,
  }
  const deletions = [
    ...deletionOf('tombstones', tombstones),
    ...deletionOf('audit-rows', auditRows),
    ...deletionOf('log-files', logs),
    ...deletionOf('certificates', certificates),
    ...deletionOf('day-keys', dayKeys),
    ...deletionOf('damaged-stores', damagedStores),
  ]
  const details = clockPlausible ? counts : { ...counts, code: 'ERR_CLOCK_WRONG' }
  store.recordPurge(PURGE_JOB, { details, deletions, clockPlausible, sign }, now)
  // In steps, so that the outbox and the channel get their turn in between.
  while (store.compact()) await setImmediate()
  while (store.moveOlder(now)) await setImmediate()
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  logger.info('purged', { count: evidence, total })
  return { ...counts, clockPlausible }
}

const NONE: Deleted = { count: 0, from: null, to: null }

function deletionOf(kind: PurgedKind, { count, from, to }: Deleted): readonly Deletion[] {
  return from === null || to === null ? [] : [{ kind, count, from: iso(from), to: iso(to) }]
}

/** Logs are the least of it: a folder that can't be read must not keep the rest from being purged and audited. */
async function purgeLogs(folder: string, before: EpochMs, logger: Logger): Promise<Deleted> {
  try {
    const times = await deleteLogs(folder, before)
    return times.length === 0
      ? NONE
      : { count: times.length, from: Math.min(...times), to: Math.max(...times) }
  } catch (error) {
    logger.warn('old log files could not be deleted', { error })
    return NONE
  }
}
