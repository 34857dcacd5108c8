import type { CheckpointSource } from '../delivery/checkpoints.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Logger } from '../log.ts'
import { signCheckpoint } from '../sealing/checkpoint.ts'
import type { SigningKey } from '../sealing/keys.ts'
import type { Store } from '../store/open.ts'

/** Rows of the audit log that the city has not witnessed, at most: some twenty evidence. */
const MAX_UNWITNESSED = 64
const DAY_MS = 86_400_000

/** Signs a checkpoint of the audit log at the start, after so many rows, and once a day, for the city to witness. */
export function createWitness(deps: {
  readonly store: Pick<Store, 'audit' | 'checkpoints'>
  readonly site: string
  readonly device: string
  /** Read anew for each: it may be changed meanwhile. */
  readonly signingKey: SigningKey
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly logger: Logger
}): CheckpointSource {
  const { store, site, device, now, logger } = deps
  let isFirst = true
  let failed = false

  const isDue = (at: EpochMs): boolean => {
    const { head } = store.audit.ends()
    const latest = store.checkpoints.latest()
    if (head.sequence === 0 || latest?.sequence === head.sequence) return false
    if (!latest || isFirst) return true
    const unwitnessed = head.sequence - latest.sequence
    const ageMs = at - latest.issuedAt
    // Fewer rows than were witnessed, or a clock that went back: the city is to see that at once.
    return unwitnessed < 0 || unwitnessed >= MAX_UNWITNESSED || ageMs < 0 || ageMs >= DAY_MS
  }

  const issue = (at: EpochMs): void => {
    const { sequence } = store.checkpoints.issue(
      (standing) => signCheckpoint({ site, device, ...standing, issuedAt: iso(at) }, deps.signingKey),
      at,
    )
    isFirst = false
    logger.debug('a checkpoint of the audit log is signed', { sequence })
  }

  return {
    current() {
      const at = now()
      try {
        if (isDue(at)) issue(at)
        const latest = store.checkpoints.latest()
        failed = false
        return latest
      } catch (error) {
        // A store that takes nothing now is no reason to stop delivering; it is tried again at the next look.
        if (!failed) logger.error('no checkpoint of the audit log can be signed now', { error })
        failed = true
        return undefined
      }
    },
  }
}
