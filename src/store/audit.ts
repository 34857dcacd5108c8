import { createHash } from 'node:crypto'
import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { query, type StoreDatabase } from './database.ts'

/** What is recorded. */
export type AuditKind =
  | 'evidence-committed'
  | 'evidence-discarded'
  | 'evidence-delivered'
  | 'evidence-deleted'
  | 'hold-placed'
  | 'hold-released'
  | 'purge'
  | 'selftest-passed'
  | 'selftest-failed'

/** Flat, and nothing that names a person but who placed or released a hold. */
export type AuditDetails = Readonly<Record<string, string | number>>

/** One record. */
export interface AuditRow {
  readonly sequence: number
  readonly at: EpochMs
  readonly kind: AuditKind
  readonly details: AuditDetails
}

/**
 * The audit log: each row's hash covers its content and the hash of the row before, so that a change, a gap or a row that was taken
 * out shows.
 */
export interface Audit {
  /** Records inside the transaction of what is recorded. */
  append(kind: AuditKind, details: AuditDetails, at: EpochMs): void
  /** Newest first. */
  list(limit: number): readonly AuditRow[]
  /** Deletes the rows from before `before` off the old end; the chain stays verifiable from the last one deleted. Returns how many. */
  cutBefore(before: EpochMs): number
  /** Checks the whole chain and returns its length. Throws ERR_AUDIT_BROKEN with the first row that does not fit. */
  verify(): { readonly rows: number }
}

interface Row {
  sequence: number
  at: number
  kind: AuditKind
  details: string
  hash: string
}

interface Ends {
  headSequence: number
  headHash: string
  anchorSequence: number
  anchorHash: string
}

export function auditOf(db: StoreDatabase): Audit {
  const ends = db.prepare<[], Ends>(
    `SELECT audit_head_sequence AS headSequence, audit_head_hash AS headHash,
      audit_anchor_sequence AS anchorSequence, audit_anchor_hash AS anchorHash FROM meta`,
  )
  const insert = db.prepare<[number, number, string, string, string]>(
    'INSERT INTO audit VALUES (?, ?, ?, ?, ?)',
  )
  const setHead = db.prepare<[number, string]>('UPDATE meta SET audit_head_sequence = ?, audit_head_hash = ?')
  const setAnchor = db.prepare<[number, string]>(
    'UPDATE meta SET audit_anchor_sequence = ?, audit_anchor_hash = ?',
  )
  const newest = db.prepare<[number], Row>('SELECT * FROM audit ORDER BY sequence DESC LIMIT ?')
  const all = db.prepare<[], Row>('SELECT * FROM audit ORDER BY sequence')
  // Rows are in the order of writing, not of time: where the clock went back, what is too young keeps what is before it.
  const lastOld = db.prepare<[number], Row>(
    `SELECT * FROM audit
     WHERE sequence < coalesce((SELECT min(sequence) FROM audit WHERE at >= ?), 9223372036854775807)
     ORDER BY sequence DESC LIMIT 1`,
  )
  const cut = db.prepare<[number]>('DELETE FROM audit WHERE sequence <= ?')

  function readEnds(): Ends {
    const row = ends.get()
    if (!row) throw new RoadveilError('ERR_STORE_CORRUPT', 'the store has lost its counters')
    return row
  }

  return {
    append(kind, details, at) {
      const { headSequence, headHash } = readEnds()
      const row = { sequence: headSequence + 1, at: Math.trunc(at), kind, details: canonical(details) }
      const hash = chainHash(headHash, row)
      insert.run(row.sequence, row.at, row.kind, row.details, hash)
      setHead.run(row.sequence, hash)
    },

    list(limit) {
      const rows = query(() => newest.all(limit))
      return rows.map(({ sequence, at, kind, details }) => ({
        sequence,
        at,
        kind,
        details: JSON.parse(details) as AuditDetails,
      }))
    },

    cutBefore(before) {
      const last = lastOld.get(Math.trunc(before))
      if (!last) return 0
      setAnchor.run(last.sequence, last.hash)
      return cut.run(last.sequence).changes
    },

    verify() {
      const { headSequence, headHash, anchorSequence, anchorHash } = readEnds()
      let before = { sequence: anchorSequence, hash: anchorHash }
      let rows = 0
      for (const row of all.iterate()) {
        if (row.sequence !== before.sequence + 1) throw broken(before.sequence + 1, 'is missing')
        if (row.hash !== chainHash(before.hash, row)) throw broken(row.sequence, 'was changed')
        before = row
        rows++
      }
      if (before.sequence !== headSequence || before.hash !== headHash)
        throw broken(before.sequence + 1, 'is missing')
      return { rows }
    },
  }
}

function chainHash(before: string, row: Omit<Row, 'hash'>): string {
  const content = JSON.stringify([before, row.sequence, row.at, row.kind, row.details])
  return createHash('sha256').update(content).digest('hex')
}

function canonical(details: AuditDetails): string {
  return JSON.stringify(details, Object.keys(details).sort())
}

function broken(sequence: number, why: string): RoadveilError {
  return new RoadveilError('ERR_AUDIT_BROKEN', `row ${sequence} of the audit log ${why}`)
}
