import type { EpochMs } from '../domain/frame.ts'
import type { Carved, Row } from './carved.ts'
import type { StoreDatabase } from './database.ts'
import type { InsertRow } from './insert-row.ts'
import { numberOf, type SavedAuditRow } from './saved-audit.ts'

/** Who places a hold that the damage made necessary. */
const BY = 'roadveil'

/**
 * Copies the legal holds. Where there may have been more, those of the audit log are placed again, and whatever only a hold can have
 * kept is held until a person has looked: a hold is never lost to damage. Returns whether one is on evidence that is lost.
 */
export function saveHolds(
  from: Carved,
  to: StoreDatabase,
  {
    insert,
    audit,
    lost,
    at,
  }: {
    readonly insert: InsertRow
    readonly audit: readonly SavedAuditRow[]
    /** Evidence that is not in the new store: its id by its sequence. */
    readonly lost: ReadonlyMap<number, string>
    readonly at: EpochMs
  },
): boolean {
  const found = from.rows('legal_hold')
  const idOf = to.prepare<[number], { id: string }>(
    'SELECT evidence_id AS id FROM evidence WHERE sequence = ?',
  )
  const sequenceOf = to.prepare<[string], { sequence: number }>(
    'SELECT sequence FROM evidence WHERE evidence_id = ?',
  )
  const held = to.prepare<[number], { number: number }>(
    'SELECT hold_number AS number FROM held WHERE sequence = ?',
  )
  let isOnLost = false

  const place = (row: Row): void => {
    const sequence = row['sequence']
    if (typeof sequence === 'number' && !idOf.get(sequence)) isOnLost = true
    else insert('legal_hold', row)
  }
  for (const row of found) place(row)
  if (from.damagedPages > 0) {
    const known = new Set(found.map((row) => scopeOf(row, idOf.get(numberOf(row['sequence']))?.id)))
    for (const { details, at: placedAt } of inForce(audit)) {
      const scope = JSON.stringify(SCOPE.map((name) => details[name] ?? null))
      if (known.has(scope)) continue
      const id = details['evidenceId']
      const sequence = typeof id === 'string' ? sequenceOf.get(id)?.sequence : null
      if (sequence === undefined) isOnLost ||= [...lost.values()].includes(String(id))
      else place(rowOf(details, sequence, placedAt))
    }
    const delivered = to.prepare<[], { sequence: number }>(
      'SELECT sequence FROM evidence WHERE delivered_at IS NOT NULL',
    )
    const reason =
      'The city has it, so a hold must have kept it here; that hold was lost with a damaged store.'
    for (const { sequence } of delivered.all())
      if (!held.get(sequence)) insert('legal_hold', { sequence, reason, placed_by: BY, placed_at: at })
  }
  return isOnLost
}

const SCOPE = ['caseNumber', 'evidenceId', 'camera', 'ruleId', 'from', 'until'] as const

/** Holds that the audit log says were placed, and not that they were released. */
function inForce(audit: readonly SavedAuditRow[]): readonly SavedAuditRow[] {
  const open = new Map<string, SavedAuditRow>()
  for (const row of audit) {
    const scope = JSON.stringify(SCOPE.map((name) => row.details[name] ?? null))
    if (row.kind === 'hold-placed') open.set(scope, row)
    if (row.kind === 'hold-released') open.delete(scope)
  }
  return [...open.values()]
}

function scopeOf(row: Row, evidenceId: string | undefined): string {
  const instant = (at: Row[string] | undefined) =>
    typeof at === 'number' ? new Date(at).toISOString() : null
  const { case_number: caseNumber = null, camera = null, rule_id: ruleId = null } = row
  return JSON.stringify([
    ...[caseNumber, evidenceId ?? null, camera, ruleId],
    ...[instant(row['judged_from']), instant(row['judged_until'])],
  ])
}

function rowOf(details: SavedAuditRow['details'], sequence: number | null, placedAt: EpochMs): Row {
  const moment = (instant: string | number | undefined) =>
    typeof instant === 'string' ? Date.parse(instant) : null
  return {
    ...{ sequence, case_number: details['caseNumber'] ?? null, camera: details['camera'] ?? null },
    ...{
      rule_id: details['ruleId'] ?? null,
      judged_from: moment(details['from']),
      judged_until: moment(details['until']),
    },
    ...{ reason: String(details['reason']), placed_by: String(details['by']), placed_at: placedAt },
  }
}
