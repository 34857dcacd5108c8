import { createHash, randomUUID } from 'node:crypto'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Deleted, Deletion, PurgeAccount } from '../domain/purge.ts'
import type { Audit } from './audit.ts'
import { query, type StoreDatabase } from './database.ts'

/** A purge certificate as it was signed. */
export interface StoredCertificate {
  /** Rises by one with each. */
  readonly number: number
  readonly issuedAt: EpochMs
  /** DSSE. */
  readonly envelope: Uint8Array
}

/** Signs an account as the box. */
export type SignAccount = (account: PurgeAccount) => Uint8Array

/** The purge certificates that were issued. */
export interface Certificates {
  /** The number of the last one; 0 while there is none. */
  newest(): number
  /** At most `limit` behind the one with this number, oldest first; 0 begins. */
  list(after: number, limit: number): readonly StoredCertificate[]
  /**
   * Issues one behind the audit row that records the purge, inside its transaction: about what it names, and the evidence that was
   * deleted since the one before, most of it on receipts. Where nothing was deleted, none is issued.
   */
  issue(
    purge: Pick<PurgeAccount, 'occasion' | 'clockPlausible'> & { readonly deletions: readonly Deletion[] },
    sign: SignAccount,
    at: EpochMs,
  ): void
  /** Deletes those issued before `before`. */
  deleteBefore(before: EpochMs): Deleted
}

export function certificatesOf(db: StoreDatabase, audit: Audit): Certificates {
  const list = db.prepare<[number, number], StoredCertificate>(
    `SELECT certificate_number AS number, issued_at AS issuedAt, envelope FROM certificate
     WHERE certificate_number > ? ORDER BY certificate_number LIMIT ?`,
  )
  const newest = db.prepare<[], { number: number | null }>(
    'SELECT max(certificate_number) AS number FROM certificate',
  )
  const accounted = db.prepare<[], { after: number }>('SELECT certified_through AS after FROM meta')
  const account = db.prepare<[number]>('UPDATE meta SET certified_through = ?')
  const deletedEvidence = db.prepare<[number], Deleted>(
    `SELECT count(*) AS count, min(judged_at) AS "from", max(judged_at) AS "to"
     FROM audit LEFT JOIN tombstone ON tombstone.sequence = json_extract(details, '$.sequence')
     WHERE kind = 'evidence-deleted' AND audit.sequence > ?`,
  )
  const insert = db.prepare<[number, Uint8Array]>(
    'INSERT INTO certificate (issued_at, envelope) VALUES (?, ?)',
  )
  const before = db.prepare<[number], Deleted>(
    'SELECT count(*) AS count, min(issued_at) AS "from", max(issued_at) AS "to" FROM certificate WHERE issued_at < ?',
  )
  const remove = db.prepare<[number]>('DELETE FROM certificate WHERE issued_at < ?')

  return {
    newest: () => query(() => newest.get())?.number ?? 0,
    list: (after, limit) => query(() => list.all(after, limit)),

    issue({ deletions, ...purge }, sign, at) {
      const { logId, head } = audit.ends()
      const after = accounted.get()?.after ?? 0
      const evidence = deletedEvidence.get(after) ?? NONE
      const { count } = evidence
      // What left no tombstone counts as of now.
      const [from, to] = [iso(evidence.from ?? at), iso(evidence.to ?? at)]
      const all = [...(count === 0 ? [] : [{ kind: 'evidence' as const, count, from, to }]), ...deletions]
      if (all.length === 0) return
      const certificateId = randomUUID()
      const envelope = sign({
        certificateId,
        ...purge,
        issuedAt: iso(at),
        deletions: all,
        audit: { logId, after, ...head },
      })
      insert.run(Math.trunc(at), envelope)
      account.run(head.sequence)
      const sha256 = createHash('sha256').update(envelope).digest('hex')
      audit.append('purge-certified', { certificateId, sha256 }, at)
    },

    deleteBefore(cutoff) {
      const deleted = before.get(Math.trunc(cutoff)) ?? NONE
      remove.run(Math.trunc(cutoff))
      return deleted
    },
  }
}

const NONE: Deleted = { count: 0, from: null, to: null }
