import type { EpochMs } from '../domain/frame.ts'

/** How long each kind is kept, in days. Evidence has no number: it goes with the city's receipt, and never by age. */
export interface RetentionPolicy {
  readonly tombstoneDays: number
  readonly auditDays: number
  readonly logDays: number
  readonly certificateDays: number
}

/** What is older than these moments may go. */
export interface Cutoffs {
  readonly tombstonesBefore: EpochMs
  readonly auditBefore: EpochMs
  readonly logsBefore: EpochMs
  readonly certificatesBefore: EpochMs
  readonly setAsideBefore: EpochMs
}

const DAY_MS = 86_400_000
/** How long a damaged store stays beside the one that took its place: time to look at the disk, and to get something off it. */
const SET_ASIDE_DAYS = 30
/** Time services move a clock back by seconds; that alone is no reason to distrust it. */
const CLOCK_TOLERANCE_MS = 5 * 60_000

/** The policy as moments, at `now`. */
export function cutoffsAt(policy: RetentionPolicy, now: EpochMs): Cutoffs {
  return {
    tombstonesBefore: now - policy.tombstoneDays * DAY_MS,
    auditBefore: now - policy.auditDays * DAY_MS,
    logsBefore: now - policy.logDays * DAY_MS,
    certificatesBefore: now - policy.certificateDays * DAY_MS,
    setAsideBefore: now - SET_ASIDE_DAYS * DAY_MS,
  }
}

/**
 * False when the clock shows a time from before this program existed, or from before something that was recorded already: unless a time
 * server keeps it, because what was recorded while it was years ahead must not keep it from being believed for years.
 */
export function isPlausible(
  now: EpochMs,
  known: { readonly builtAt: EpochMs; readonly newestAt: EpochMs | undefined; readonly isKept?: boolean },
): boolean {
  const least = known.isKept ? known.builtAt : Math.max(known.builtAt, known.newestAt ?? known.builtAt)
  return now >= least - CLOCK_TOLERANCE_MS
}
