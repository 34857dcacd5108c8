import type { AuditMark } from '../domain/checkpoint.ts'
import type { EpochMs } from '../domain/frame.ts'
import { MAX_CHECKPOINT_MARKS } from '../protocol/limits.ts'
import type { Audit } from './audit.ts'
import { query, type StoreDatabase, transact } from './database.ts'

/** A checkpoint of the audit log that was signed. */
export interface SignedCheckpoint extends AuditMark {
  readonly issuedAt: EpochMs
  /** As the city gets it. */
  readonly envelope: Uint8Array
}

/** The last signed checkpoints. They are in the database before the city can have them: what it has, this box knows of. */
export interface Checkpoints {
  /** Oldest first. */
  list(): readonly SignedCheckpoint[]
  latest(): SignedCheckpoint | undefined
  /** Signs where the log stands now, and keeps the last ones. */
  issue(
    sign: (standing: {
      readonly logId: string
      readonly head: AuditMark
      readonly marks: readonly AuditMark[]
    }) => Uint8Array,
    at: EpochMs,
  ): SignedCheckpoint
}

export function checkpointsOf(db: StoreDatabase, audit: Audit): Checkpoints {
  const columns = 'sequence, hash, issued_at AS issuedAt, envelope'
  const all = db.prepare<[], SignedCheckpoint>(`SELECT ${columns} FROM checkpoint ORDER BY sequence`)
  const last = db.prepare<[], SignedCheckpoint>(
    `SELECT ${columns} FROM checkpoint ORDER BY sequence DESC LIMIT 1`,
  )
  const insert = db.prepare<[number, string, number, Uint8Array]>(
    'INSERT INTO checkpoint VALUES (?, ?, ?, ?)',
  )
  const forgetFrom = db.prepare<[number]>('DELETE FROM checkpoint WHERE sequence >= ?')
  const forget = db.prepare<[number]>(
    'DELETE FROM checkpoint WHERE sequence NOT IN (SELECT sequence FROM checkpoint ORDER BY sequence DESC LIMIT ?)',
  )

  return {
    list: () => query(() => all.all()),
    latest: () => query(() => last.get()),
    issue(sign, at) {
      return transact(db, () => {
        const { logId, head } = audit.ends()
        // A log that was cut back is further back than its checkpoints.
        forgetFrom.run(head.sequence)
        // As the rows are now: where they were rewritten, the city is to see it.
        const marks = all
          .all()
          .map(({ sequence, hash }) => ({ sequence, hash: audit.hashAt(sequence) ?? hash }))
        const envelope = sign({ logId, head, marks })
        const issuedAt = Math.trunc(at)
        insert.run(head.sequence, head.hash, issuedAt, envelope)
        forget.run(MAX_CHECKPOINT_MARKS)
        return { ...head, issuedAt, envelope }
      })
    },
  }
}
