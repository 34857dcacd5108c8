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
  /** The oldest first. */
  readonly holds: readonly {
    readonly caseNumber: string | null
    readonly reason: string
    readonly by: string
    readonly at: EpochMs
  }[]
}

export interface StoreCounts {
  /** Without a receipt. */
  readonly pending: number
  /** That a hold is on. */
  readonly holds: number
  readonly tombstones: number
  /** When the oldest one without a receipt was stored. */
  readonly oldestPendingAt: EpochMs | null
  /** Of the ciphertexts that are stored. */
  readonly bytes: number
  /** Without a receipt, and not readable any more: its bytes, or the key of its day. */
  readonly damaged: number
  readonly keyless: number
}

/** Evidence whose delivery failed for a reason of its own: it is tried again later, and the others go on. */
export interface SetAside {
  /** Why the last try failed. */
  readonly code: string
  readonly count: number
}

/** What the store holds. */
export interface Inventory {
  /** In the order in which they were stored. */
  list(): readonly StoredEvidence[]
  counts(): StoreCounts
  setAside(): readonly SetAside[]
  /** Violations since `since` that left no evidence, by the code that says why. From the audit log, so a restart forgets none. */
  discarded(since: EpochMs): ReadonlyMap<string, number>
}

interface Row extends Omit<StoredEvidence, 'holds' | 'state' | 'attempts'> {
  sequence: number
  deliveredAt: number | null
  attempts: number | null
}

type HoldRow = StoredEvidence['holds'][number] & { sequence: number }

export function inventoryOf(db: StoreDatabase): Inventory {
  const list = db.prepare<[], Row>(
    `SELECT sequence, evidence_id AS evidenceId, camera, judged_at AS judgedAt, committed_at AS committedAt,
      ciphertext_bytes AS ciphertextBytes,
      delivered_at AS deliveredAt, attempts, last_error AS lastErrorCode
     FROM evidence LEFT JOIN outbox USING (sequence) ORDER BY sequence`,
  )
  const holds = db.prepare<[], HoldRow>(
    `SELECT held.sequence, case_number AS caseNumber, reason, placed_by AS "by", placed_at AS "at"
     FROM held JOIN legal_hold USING (hold_number) ORDER BY hold_number`,
  )
  const counts = db.prepare<[], StoreCounts>(
    `SELECT count(*) FILTER (WHERE delivered_at IS NULL) AS pending,
      (SELECT count(DISTINCT sequence) FROM held) AS holds, (SELECT count(*) FROM tombstone) AS tombstones,
      min(committed_at) FILTER (WHERE delivered_at IS NULL) AS oldestPendingAt,
      coalesce(sum(ciphertext_bytes), 0) AS bytes,
      (SELECT count(*) FROM outbox WHERE last_error = 'ERR_STORE_CORRUPT') AS damaged,
      (SELECT count(*) FROM outbox WHERE last_error = 'ERR_DAY_KEY') AS keyless FROM evidence`,
  )
  const setAside = db.prepare<[], SetAside>(
    'SELECT last_error AS code, count(*) AS count FROM outbox WHERE due_at > last_attempt_at GROUP BY last_error',
  )
  const discarded = db.prepare<[EpochMs], { code: string; count: number }>(
    `SELECT json_extract(details, '$.code') AS code, count(*) AS count FROM audit INDEXED BY audit_discarded
     WHERE kind = 'evidence-discarded' AND at >= ? GROUP BY 1`,
  )
  const none: StoreCounts = {
    pending: 0,
    holds: 0,
    tombstones: 0,
    oldestPendingAt: null,
    bytes: 0,
    damaged: 0,
    keyless: 0,
  }

  return {
    list() {
      const bySequence = Map.groupBy(
        query(() => holds.all()),
        ({ sequence }) => sequence,
      )
      return query(() => list.all()).map(({ sequence, deliveredAt, attempts, ...row }) => ({
        ...row,
        state: deliveredAt === null ? 'pending' : 'delivered',
        attempts: attempts ?? 0,
        holds: (bySequence.get(sequence) ?? []).map(({ caseNumber, reason, by, at }) => ({
          caseNumber,
          reason,
          by,
          at,
        })),
      }))
    },
    counts: () => query(() => counts.get()) ?? none,
    setAside: () => query(() => setAside.all()),
    discarded: (since) => new Map(query(() => discarded.all(since)).map(({ code, count }) => [code, count])),
  }
}
