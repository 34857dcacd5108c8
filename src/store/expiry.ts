import type { EpochMs } from '../domain/frame.ts'
import type { Deleted, Deletion } from '../domain/purge.ts'
import { isRoadveilError } from '../errors.ts'
import type { Audit, AuditDetails } from './audit.ts'
import type { Certificates, SignAccount } from './certificate.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { DayKeys } from './day-key.ts'
import type { EvidenceDeletion } from './deletion.ts'
import type { OlderEvidence } from './older-evidence.ts'
import type { OuterLayer } from './outer-layer.ts'
import type { SetAsides } from './set-aside.ts'
import type { Space } from './space.ts'
import type { Strays } from './strays.ts'

/** What retention may ask of the store. Nothing here touches evidence without a receipt. */
export interface Expiry {
  /** Deletes what the city has and no hold keeps. Returns how many. */
  deleteDelivered(at: EpochMs): number
  /** Deletes tombstones whose evidence was deleted before `before`. */
  deleteTombstones(before: EpochMs): Deleted
  /** Cuts audit rows from before `before` off the old end and records it. */
  cutAudit(before: EpochMs, at: EpochMs): Deleted
  /** Deletes purge certificates that were issued before `before`. */
  deleteCertificates(before: EpochMs): Deleted
  /** Removes damaged stores that were set aside before `before`, but for what a legal hold is on, and files of evidence that no store names. */
  deleteSetAsides(before: EpochMs): Deleted
  /** Destroys the keys of days whose evidence is all confirmed, for good: what a hold keeps of them is moved to today's first. */
  destroyDayKeys(at: EpochMs): Deleted
  /** Audits a purge, notes it as the job's last run, and issues a certificate where anything was deleted since the last one. */
  recordPurge(
    job: string,
    purge: {
      readonly details: AuditDetails
      readonly deletions: readonly Deletion[]
      readonly clockPlausible: boolean
      readonly sign: SignAccount
    },
    at: EpochMs,
  ): void
  lastRunAt(job: string): EpochMs | undefined
  /** The latest moment that the store knows of. */
  newestAt(): EpochMs | undefined
  /** Gives some 2 MB of free space back to the file system, which takes a moment. Returns true while there is more. */
  compact(): boolean
  /** Moves one evidence that an earlier version stored in the database into a file. Returns true while there may be more, and room for it. */
  moveOlder(at: EpochMs): boolean
}

interface Delivered {
  sequence: number
  evidenceId: string
  deliveredAt: number
  receiptKeyId: string
}

export function expiryOf(
  db: StoreDatabase,
  {
    audit,
    space,
    certificates,
    dayKeys,
    layer,
    setAsides,
    strays,
    older,
    deletion,
    isInDoubt,
  }: {
    audit: Audit
    space: Space
    certificates: Certificates
    dayKeys: DayKeys
    layer: OuterLayer
    setAsides: SetAsides
    strays: Strays
    older: OlderEvidence
    deletion: EvidenceDeletion
    /** Whether another copy of the database may be looked for. */
    isInDoubt: () => boolean
  },
): Expiry {
  const delivered = db.prepare<[], Delivered>(
    `SELECT sequence, evidence_id AS evidenceId, delivered_at AS deliveredAt, receipt_key_id AS receiptKeyId
     FROM evidence WHERE delivered_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM held WHERE held.sequence = evidence.sequence)`,
  )
  const oldTombstones = db.prepare<[number], Deleted>(
    'SELECT count(*) AS count, min(judged_at) AS "from", max(judged_at) AS "to" FROM tombstone WHERE deleted_at < ?',
  )
  const deleteTombstones = db.prepare<[number]>('DELETE FROM tombstone WHERE deleted_at < ?')
  const setRun = db.prepare<[string, number]>(
    'INSERT INTO schedule_run VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET ran_at = excluded.ran_at',
  )
  const lastRun = db.prepare<[string], { at: number }>('SELECT ran_at AS at FROM schedule_run WHERE job = ?')
  const oldest = db.prepare<[], { at: number }>('SELECT at FROM audit ORDER BY sequence LIMIT 1')

  return {
    deleteDelivered(at) {
      const rows = query(() => delivered.all())
      // One transaction each: the log of a big one could fill the disk.
      for (const row of rows) deletion.transact((deleteEvidence) => deleteEvidence(row, Math.trunc(at)))
      return rows.length
    },
    deleteTombstones: (before) =>
      space.transactDeleting(() => {
        const deleted = oldTombstones.get(Math.trunc(before)) ?? NONE
        deleteTombstones.run(Math.trunc(before))
        return deleted
      }),
    cutAudit: (before, at) =>
      space.transactDeleting(() => {
        const from = oldest.get()?.at ?? null
        const count = audit.cutBefore(before, at)
        return count === 0 ? NONE : { count, from, to: before }
      }),
    deleteCertificates: (before) => space.transactDeleting(() => certificates.deleteBefore(before)),
    deleteSetAsides(before) {
      strays.removeDeleted()
      strays.removeOlder(before)
      dayKeys.destroyOrphans(before)
      const times = setAsides.deleteBefore(before)
      return times.length === 0
        ? NONE
        : { count: times.length, from: Math.min(...times), to: Math.max(...times) }
    },
    destroyDayKeys(at) {
      // What another copy of the database knows may need any of them.
      if (isInDoubt() && strays.areThere()) return NONE
      // Without room the hold keeps the key of its day for now; the others are destroyed all the same.
      unlessFull(() => layer.moveHeld(at))
      const { count, firstDay, lastDay } = dayKeys.destroyUnused()
      return { count, from: momentOf(firstDay), to: momentOf(lastDay) }
    },
    recordPurge(job, { details, deletions, clockPlausible, sign }, at) {
      transact(db, () => {
        audit.append('purge', details, at)
        setRun.run(job, Math.trunc(at))
        certificates.issue({ occasion: 'purge', clockPlausible, deletions }, sign, at)
      })
    },
    lastRunAt: (job) => query(() => lastRun.get(job))?.at,
    newestAt: () => query(() => newestAtOf(db)),
    compact() {
      if (space.compact()) return true
      space.restoreBallast()
      return false
    },
    moveOlder(at) {
      const isMoved = unlessFull(() => older.moveOne(at)) ?? false
      // Before the next one needs the room that this one had in the database.
      if (isMoved)
        unlessFull(() => {
          while (space.compact());
        })
      return isMoved
    },
  }
}

/** Every other moment that the store has is in the audit log as well. */
export function newestAtOf(db: StoreDatabase): EpochMs | undefined {
  return db.prepare<[], { at: number | null }>('SELECT max(at) AS at FROM audit').get()?.at ?? undefined
}

const NONE: Deleted = { count: 0, from: null, to: null }

/** What can wait for the next purge; undefined where there was no room for it. */
function unlessFull<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!isRoadveilError(error, 'ERR_STORE_FULL')) throw error
    return undefined
  }
}

function momentOf(day: string | null): EpochMs | null {
  return day === null ? null : Date.parse(day)
}
