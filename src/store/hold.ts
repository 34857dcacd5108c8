import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import type { Audit } from './audit.ts'
import { type StoreDatabase, transact } from './database.ts'

/** Legal holds: while one is on an evidence, nothing deletes it. One at a time on each evidence. */
export interface Holds {
  /** Throws ERR_EVIDENCE_UNKNOWN, ERR_HOLD_EXISTS. */
  place(
    evidenceId: string,
    hold: {
      readonly caseNumber?: string
      readonly reason: string
      readonly by: string
      readonly at: EpochMs
    },
  ): void
  /** The next purge deletes the evidence if the city has it. Throws ERR_EVIDENCE_UNKNOWN, ERR_HOLD_UNKNOWN. */
  release(
    evidenceId: string,
    release: { readonly reason: string; readonly by: string; readonly at: EpochMs },
  ): void
}

export function holdsOf(db: StoreDatabase, audit: Audit): Holds {
  const find = db.prepare<[string], { sequence: number; held: number }>(
    `SELECT sequence, placed_at IS NOT NULL AS held FROM evidence LEFT JOIN hold USING (sequence) WHERE evidence_id = ?`,
  )
  const insert = db.prepare<[number, string | null, string, string, number]>(
    'INSERT INTO hold VALUES (?, ?, ?, ?, ?)',
  )
  const remove = db.prepare<[number]>('DELETE FROM hold WHERE sequence = ?')

  function evidence(evidenceId: string): { sequence: number; held: number } {
    const row = find.get(evidenceId)
    if (!row) throw new RoadveilError('ERR_EVIDENCE_UNKNOWN', `evidence ${evidenceId} is not stored`)
    return row
  }

  return {
    place(evidenceId, { caseNumber, reason, by, at }) {
      transact(db, () => {
        const { sequence, held } = evidence(evidenceId)
        if (held !== 0) throw new RoadveilError('ERR_HOLD_EXISTS', `a hold is on ${evidenceId} already`)
        insert.run(sequence, caseNumber ?? null, reason, by, Math.trunc(at))
        const named = caseNumber === undefined ? {} : { caseNumber }
        audit.append('hold-placed', { evidenceId, ...named, reason, by }, at)
      })
    },

    release(evidenceId, { reason, by, at }) {
      transact(db, () => {
        const { sequence, held } = evidence(evidenceId)
        if (held === 0) throw new RoadveilError('ERR_HOLD_UNKNOWN', `no hold is on ${evidenceId}`)
        remove.run(sequence)
        audit.append('hold-released', { evidenceId, reason, by }, at)
      })
    },
  }
}
