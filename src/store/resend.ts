import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { type StoreDatabase, transact } from './database.ts'
import type { HoldCriteria } from './hold.ts'

/** What evidence a request names: by id, or what fits all criteria. */
export type EvidenceScope = { readonly evidenceIds: readonly string[] } | { readonly criteria: HoldCriteria }

/** What became of a request to send again. */
export interface Resent {
  /** How many stand at the head of the outbox now. */
  readonly queued: number
  /** Ids of what the box has no longer: the city confirmed it, and a tombstone is left. */
  readonly gone: readonly string[]
  /** Ids that the box has never had, or has no tombstone of any more. */
  readonly unknown: readonly string[]
}

/** Sends evidence again that the city asks for. */
export interface Resends {
  /**
   * Puts evidence at the head of the outbox, due now; also what the city has confirmed and only a hold keeps.
   *
   * Throws ERR_EVIDENCE_UNKNOWN when ids are named and the box has had none of them.
   */
  queue(scope: EvidenceScope, at: EpochMs): Resent
  /** How an id stands: stored, gone (a tombstone is left), or unknown. */
  readonly standingOf: (evidenceId: string) => 'stored' | 'gone' | 'unknown'
}

interface Criteria {
  camera: string | null
  ruleId: string | null
  from: number | null
  until: number | null
}

export function resendsOf(db: StoreDatabase): Resends {
  // Evidence that a hold keeps after the city confirmed it has left the outbox.
  const enqueue = `INSERT INTO outbox (sequence, due_at, asked_for) SELECT sequence, :at, 1 FROM evidence`
  const again =
    'ON CONFLICT (sequence) DO UPDATE SET due_at = excluded.due_at, last_attempt_at = NULL, asked_for = 1'
  const queueOne = db.prepare<{ at: number; evidenceId: string }>(
    `${enqueue} WHERE evidence_id = :evidenceId ${again}`,
  )
  const queueFitting = db.prepare<{ at: number } & Criteria>(
    `${enqueue} WHERE (:camera IS NULL OR camera = :camera) AND (:ruleId IS NULL OR rule_id = :ruleId)
      AND (:from IS NULL OR judged_at >= :from) AND (:until IS NULL OR judged_at < :until) ${again}`,
  )
  const standing = db.prepare<[string, string], { standing: 'stored' | 'gone' }>(
    `SELECT 'stored' AS standing FROM evidence WHERE evidence_id = ?
     UNION ALL SELECT 'gone' FROM tombstone WHERE evidence_id = ?`,
  )
  const standingOf: Resends['standingOf'] = (id) => standing.get(id, id)?.standing ?? 'unknown'

  return {
    standingOf,
    queue(scope, at) {
      return transact(db, () => {
        const dueAt = Math.trunc(at)
        if ('criteria' in scope) {
          const { camera = null, ruleId = null, from = null, until = null } = scope.criteria
          const { changes } = queueFitting.run({ at: dueAt, camera, ruleId, from, until })
          return { queued: changes, gone: [], unknown: [] }
        }
        const ids = Map.groupBy(scope.evidenceIds, standingOf)
        const stored = ids.get('stored') ?? []
        for (const evidenceId of stored) queueOne.run({ at: dueAt, evidenceId })
        const [gone, unknown] = [ids.get('gone') ?? [], ids.get('unknown') ?? []]
        if (stored.length + gone.length === 0) {
          throw new RoadveilError('ERR_EVIDENCE_UNKNOWN', 'nothing that is asked for is or was stored')
        }
        return { queued: stored.length, gone, unknown }
      })
    },
  }
}
