import type { EpochMs } from '../domain/frame.ts'
import { query, type StoreDatabase } from './database.ts'

/** One evidence in the store, as people ask for it. */
export interface StoredEvidence {
  readonly evidenceId: string
  readonly camera: string
  readonly judgedAt: EpochMs
  readonly committedAt: EpochMs
  readonly ciphertextBytes: number
  /** `pending` has no receipt yet; `delivered` stays only because of its hold, or until the next purge. */
  readonly state: 'pending' | 'delivered'
  readonly attempts: number
  /** Why the last attempt failed. */
  readonly lastErrorCode: string | null
  readonly hold: {
    readonly caseNumber: string | null
    readonly reason: string
    readonly by: string
    readonly at: EpochMs
  } | null
}

export interface StoreCounts {
  /** Without a receipt. */
  readonly pending: number
  readonly holds: number
  readonly tombstones: number
  /** When the oldest one without a receipt was stored. */
  readonly oldestPendingAt: EpochMs | null
  /** Of the ciphertexts that are stored. */
  readonly bytes: number
}

/** What the store holds. */
export interface Inventory {
  /** In the order in which they were stored. */
  list(): readonly StoredEvidence[]
  counts(): StoreCounts
}

interface Row extends Omit<StoredEvidence, 'hold' | 'state' | 'attempts'> {
  deliveredAt: number | null
  attempts: number | null
  caseNumber: string | null
  reason: string | null
  placedBy: string
  placedAt: number
}

export function inventoryOf(db: StoreDatabase): Inventory {
  const list = db.prepare<[], Row>(
    `SELECT evidence_id AS evidenceId, camera, judged_at AS judgedAt, committed_at AS committedAt,
      ciphertext_bytes AS ciphertextBytes,
      delivered_at AS deliveredAt, attempts, last_error AS lastErrorCode,
      case_number AS caseNumber, reason, placed_by AS placedBy, placed_at AS placedAt
     FROM evidence LEFT JOIN outbox USING (sequence) LEFT JOIN hold USING (sequence) ORDER BY sequence`,
  )
  const counts = db.prepare<[], StoreCounts>(
    `SELECT count(*) FILTER (WHERE delivered_at IS NULL) AS pending,
      (SELECT count(*) FROM hold) AS holds, (SELECT count(*) FROM tombstone) AS tombstones,
      min(committed_at) FILTER (WHERE delivered_at IS NULL) AS oldestPendingAt,
      coalesce(sum(ciphertext_bytes), 0) AS bytes FROM evidence`,
  )
  const none: StoreCounts = {
    pending: 0,
    holds: 0,
    tombstones: 0,
    oldestPendingAt: null,
    bytes: 0,
  }

  return {
    list: () =>
      query(() => list.all()).map(
        ({ deliveredAt, attempts, caseNumber, reason, placedBy, placedAt, ...row }) => ({
          ...row,
          state: deliveredAt === null ? 'pending' : 'delivered',
          attempts: attempts ?? 0,
          hold: reason === null ? null : { caseNumber, reason, by: placedBy, at: placedAt },
        }),
      ),
    counts: () => query(() => counts.get()) ?? none,
  }
}
