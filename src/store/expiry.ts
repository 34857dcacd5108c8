import type { EpochMs } from '../domain/frame.ts'
import type { Audit, AuditDetails } from './audit.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { DeleteEvidence } from './deletion.ts'
import type { Space } from './space.ts'

/** What retention may ask of the store. Nothing here touches evidence without a receipt. */
export interface Expiry {
  /** Deletes what the city has and no hold keeps. Returns how many. */
  deleteDelivered(at: EpochMs): number
  /** Deletes tombstones whose evidence was deleted before `before`. Returns how many. */
  deleteTombstones(before: EpochMs): number
  /** Cuts audit rows from before `before` off the old end. Returns how many. */
  cutAudit(before: EpochMs): number
  /** Audits a purge and notes it as the job's last run. */
  recordPurge(job: string, details: AuditDetails, at: EpochMs): void
  lastRunAt(job: string): EpochMs | undefined
  /** The latest moment that the store knows of. */
  newestAt(): EpochMs | undefined
  /** Gives some 2 MB of free space back to the file system, which takes a moment. Returns true while there is more. */
  compact(): boolean
}

interface Delivered {
  sequence: number
  evidenceId: string
  deliveredAt: number
  receiptKeyId: string
}

export function expiryOf(
  db: StoreDatabase,
  { audit, space, deleteEvidence }: { audit: Audit; space: Space; deleteEvidence: DeleteEvidence },
): Expiry {
  const delivered = db.prepare<[], Delivered>(
    `SELECT sequence, evidence_id AS evidenceId, delivered_at AS deliveredAt, receipt_key_id AS receiptKeyId
     FROM evidence WHERE delivered_at IS NOT NULL AND sequence NOT IN (SELECT sequence FROM hold)`,
  )
  const deleteTombstones = db.prepare<[number]>('DELETE FROM tombstone WHERE deleted_at < ?')
  const setRun = db.prepare<[string, number]>(
    'INSERT INTO schedule_run VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET ran_at = excluded.ran_at',
  )
  const lastRun = db.prepare<[string], { at: number }>('SELECT ran_at AS at FROM schedule_run WHERE job = ?')
  // Every other moment that the store has is in the audit log as well.
  const newest = db.prepare<[], { at: number | null }>('SELECT max(at) AS at FROM audit')

  return {
    deleteDelivered(at) {
      const rows = query(() => delivered.all())
      // One transaction each: the log of a big one could fill the disk.
      for (const row of rows) space.transactDeleting(() => deleteEvidence(row, Math.trunc(at)))
      return rows.length
    },
    deleteTombstones: (before) =>
      space.transactDeleting(() => deleteTombstones.run(Math.trunc(before)).changes),
    cutAudit: (before) => space.transactDeleting(() => audit.cutBefore(before)),
    recordPurge(job, details, at) {
      transact(db, () => {
        audit.append('purge', details, at)
        setRun.run(job, Math.trunc(at))
      })
    },
    lastRunAt: (job) => query(() => lastRun.get(job))?.at,
    newestAt: () => query(() => newest.get())?.at ?? undefined,
    compact() {
      if (space.compact()) return true
      space.restoreBallast()
      return false
    },
  }
}
