import { type EpochMs, iso } from '../domain/frame.ts'
import { query, type StoreDatabase } from './database.ts'
import type { InsertRow } from './insert-row.ts'

/** Who places and ends a hold that the box has to decide on by itself. */
export const BY = 'roadveil'

/**
 * Puts everything that is and will be stored under a legal hold until a person ends it by its case: where holds may have been lost,
 * nobody knows what they were on, and they may have been on what is still to come.
 *
 * @returns what the audit log is to say of it
 */
export function holdEverything(
  insert: InsertRow,
  {
    kind,
    reason,
    at,
  }: { readonly kind: 'salvage' | 'rollback'; readonly reason: string; readonly at: EpochMs },
): Readonly<Record<string, string>> {
  const caseNumber = `${kind}-${iso(at)}`
  insert('legal_hold', {
    ...{ case_number: caseNumber, reason, placed_by: BY },
    ...{ placed_at: Math.trunc(at), judged_from: 0 },
  })
  return { caseNumber, from: iso(0), reason, by: BY }
}

/** The case of such a hold in force; undefined where there is none. */
export function caseOfEverything(db: StoreDatabase): string | undefined {
  const find = db.prepare<[string], string>(
    `SELECT case_number FROM legal_hold WHERE placed_by = ? AND judged_from = 0
      AND coalesce(sequence, camera, rule_id, judged_until) IS NULL ORDER BY hold_number LIMIT 1`,
  )
  return query(() => find.pluck().get(BY))
}
