import { setImmediate } from 'node:timers/promises'
import type { AuditMark } from '../domain/checkpoint.ts'
import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { type AuditCheck, chainHash, followChain } from './audit-chain.ts'
import { query, type StoreDatabase, transact } from './database.ts'

/** What is recorded. */
export type AuditKind =
  | 'audit-pruned'
  | 'command-begun'
  | 'command-executed'
  | 'command-refused'
  | 'commands-refused'
  | 'database-key-rotated'
  | 'database-key-rewrapped'
  | 'evidence-committed'
  | 'evidence-discarded'
  | 'evidence-delivered'
  | 'evidence-deleted'
  | 'evidence-lost'
  | 'hold-lost'
  | 'hold-placed'
  | 'hold-released'
  | 'purge'
  | 'purge-certified'
  | 'selftest-passed'
  | 'selftest-failed'
  | 'signing-key-rotated'
  | 'store-salvaged'
  | 'subject-erased'
  | 'subject-erasure-asked'
  | 'subject-exported'
  | 'vault-started'

/** Flat, and nothing that names a person but who placed or released a hold, answered a request, or commanded. */
export type AuditDetails = Readonly<Record<string, string | number>>

/** One record. */
export interface AuditRow {
  readonly sequence: number
  readonly at: EpochMs
  readonly kind: AuditKind
  readonly details: AuditDetails
}

/** Where the chain begins and ends. */
export interface AuditEnds {
  readonly logId: string
  /** The last row; sequence 0 while there is none. */
  readonly head: AuditMark
  /** The last row that retention has deleted; sequence 0 while there is none. */
  readonly anchor: AuditMark
}

/**
 * The audit log: each row's hash covers its content and the hash of the row before, so that a change, a gap or a row that was taken
 * out shows.
 */
export interface Audit {
  /** Records inside the transaction of what is recorded. */
  append(kind: AuditKind, details: AuditDetails, at: EpochMs): void
  /** Records what is about nothing else in the store, in a transaction of its own. */
  record(kind: AuditKind, details: AuditDetails, at: EpochMs): void
  /** Newest first. */
  list(limit: number): readonly AuditRow[]
  /**
   * Deletes the rows from before `before` off the old end and records up to where: the chain stays verifiable from the last one
   * deleted, and nobody can pass a cut of their own for it. Returns how many.
   */
  cutBefore(before: EpochMs, at: EpochMs): number
  ends(): AuditEnds
  /** The hash that the chain has at `sequence`; undefined where there is no such row. */
  hashAt(sequence: number): string | undefined
  /** Looks at the whole chain and says everything that does not fit. */
  check(): AuditCheck
  /** The same in steps, between which others get their turn: a log of years takes seconds. Throws the signal's reason. */
  checkInSteps(signal: AbortSignal): Promise<AuditCheck>
  /** Checks the whole chain and returns its length. Throws ERR_AUDIT_BROKEN with the first thing that does not fit. */
  verify(): { readonly rows: number }
}

/** Some 20 ms. */
const PAGE_ROWS = 2000

interface Row {
  sequence: number
  at: number
  kind: AuditKind
  details: string
  hash: string
}

interface Ends {
  logId: string
  headSequence: number
  headHash: string
  anchorSequence: number
  anchorHash: string
}

export function auditOf(db: StoreDatabase): Audit {
  const readEnds = db.prepare<[], Ends>(
    `SELECT audit_log_id AS logId, audit_head_sequence AS headSequence, audit_head_hash AS headHash,
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
  const page = db.prepare<[number, number], Row>(
    'SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?',
  )
  const hashOf = db.prepare<[number], { hash: string }>('SELECT hash FROM audit WHERE sequence = ?')
  // Rows are in the order of writing, not of time: where the clock went back, what is too young keeps what is before it.
  const lastOld = db.prepare<[number], Row>(
    `SELECT * FROM audit
     WHERE sequence < coalesce((SELECT min(sequence) FROM audit WHERE at >= ?), 9223372036854775807)
     ORDER BY sequence DESC LIMIT 1`,
  )
  const cut = db.prepare<[number]>('DELETE FROM audit WHERE sequence <= ?')
  const lastPruning = db.prepare<[], { details: string }>(
    "SELECT details FROM audit WHERE kind = 'audit-pruned' ORDER BY sequence DESC LIMIT 1",
  )

  function ends(): AuditEnds {
    const row = query(() => readEnds.get())
    if (!row) throw new RoadveilError('ERR_STORE_CORRUPT', 'the store has lost its counters')
    const { logId, headSequence, headHash, anchorSequence, anchorHash } = row
    return {
      logId,
      head: { sequence: headSequence, hash: headHash },
      anchor: { sequence: anchorSequence, hash: anchorHash },
    }
  }

  /** Yields after each page. */
  function* checkPages(): Generator<undefined, AuditCheck> {
    for (;;) {
      const { anchor } = ends()
      const chain = followChain(anchor)
      let rows: readonly Row[] = []
      let after = Number.MIN_SAFE_INTEGER
      do {
        if (rows.length > 0) yield
        rows = query(() => page.all(after, PAGE_ROWS))
        for (const row of rows) chain.take(row)
        after = rows.at(-1)?.sequence ?? after
      } while (rows.length === PAGE_ROWS)
      const now = ends()
      // Where retention has cut the old end meanwhile, what was read first is gone: once more.
      if (now.anchor.sequence === anchor.sequence) {
        return chain.end({ head: now.head, pruning: query(() => lastPruning.get())?.details })
      }
    }
  }

  const audit: Audit = {
    ends,

    append(kind, details, at) {
      const { head } = ends()
      const row = { sequence: head.sequence + 1, at: Math.trunc(at), kind, details: canonical(details) }
      const hash = chainHash(head.hash, row)
      insert.run(row.sequence, row.at, row.kind, row.details, hash)
      setHead.run(row.sequence, hash)
    },

    record(kind, details, at) {
      transact(db, () => audit.append(kind, details, at))
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

    cutBefore(before, at) {
      const last = lastOld.get(Math.trunc(before))
      if (!last) return 0
      const { sequence: through, hash } = last
      setAnchor.run(through, hash)
      const { changes } = cut.run(through)
      audit.append('audit-pruned', { through, hash }, at)
      return changes
    },

    hashAt: (sequence) => query(() => hashOf.get(sequence))?.hash,

    check() {
      const pages = checkPages()
      for (;;) {
        const { done, value } = pages.next()
        if (done) return value
      }
    },

    async checkInSteps(signal) {
      const pages = checkPages()
      for (;;) {
        signal.throwIfAborted()
        const { done, value } = pages.next()
        if (done) return value
        await setImmediate()
      }
    },

    verify() {
      const { rows, faults } = audit.check()
      const [first] = faults
      if (first) throw new RoadveilError('ERR_AUDIT_BROKEN', first.message)
      return { rows }
    },
  }
  return audit
}

function canonical(details: AuditDetails): string {
  return JSON.stringify(details, Object.keys(details).sort())
}
