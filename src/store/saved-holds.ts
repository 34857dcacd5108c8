import type { EpochMs } from '../domain/frame.ts'
import type { Carved, Row } from './carved.ts'
import { holdEverything } from './caution.ts'
import type { StoreDatabase } from './database.ts'
import type { InsertRow } from './insert-row.ts'
import { numberOf, type SavedAudit, type SavedAuditRow } from './saved-audit.ts'
import type { LostEvidence } from './saved-evidence.ts'

/** What became of the legal holds. */
export interface SavedHolds {
  /** Evidence that is lost although a hold was on it, by its sequence, and the cases; none where nobody knows them. */
  readonly onLost: ReadonlyMap<number, readonly string[]>
  /** Holds on one evidence that ended because it is lost. */
  readonly ended: readonly Readonly<Record<string, string | number>>[]
  /** The hold on everything, until a person has looked. */
  readonly placed: readonly Readonly<Record<string, string>>[]
}

const REASON = 'Legal holds were lost with a damaged store, and nobody knows what they were on.'

/**
 * Copies the legal holds. Where there may have been more, those of the audit log are placed again; where that may not know all of them,
 * either, everything is held until a person has looked: a hold is never lost to damage, and what it was on is not lost without a word.
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
    readonly audit: SavedAudit
    readonly lost: readonly LostEvidence[]
    readonly at: EpochMs
  },
): SavedHolds {
  const found = from.rows('legal_hold')
  const idOf = to.prepare<[number], string>('SELECT evidence_id FROM evidence WHERE sequence = ?').pluck()
  const sequenceOf = to
    .prepare<[string], number>('SELECT sequence FROM evidence WHERE evidence_id = ?')
    .pluck()
  const lostIds = new Map(lost.map(({ sequence, evidenceId }) => [sequence, evidenceId]))
  const lostSequences = new Map(lost.map(({ sequence, evidenceId }) => [evidenceId, sequence]))
  const onLost = new Map<number, readonly string[]>()
  const ended: Readonly<Record<string, string | number>>[] = []
  const placed: Readonly<Record<string, string>>[] = []

  const note = (sequence: number, caseNumber: Row[string] | undefined): void => {
    const cases = onLost.get(sequence) ?? []
    const isNew = typeof caseNumber === 'string' && !cases.includes(caseNumber)
    onLost.set(sequence, isNew ? [...cases, caseNumber] : cases)
  }
  const place = (row: Row): void => {
    const { sequence, case_number: caseNumber } = row
    if (typeof sequence === 'number' && idOf.get(sequence) === undefined) {
      note(sequence, caseNumber)
      const evidenceId = lostIds.get(sequence)
      ended.push({
        ...(typeof caseNumber === 'string' && { caseNumber }),
        ...(evidenceId === undefined ? { sequence } : { evidenceId }),
      })
      return
    }
    insert('legal_hold', row)
    if (typeof sequence === 'number') return
    for (const each of lost) if (each.row && fits(row, each.row)) note(each.sequence, caseNumber)
  }

  for (const row of found) place(row)
  // A table of before lacks what came later.
  if (from.isWhole('legal_hold') && !audit.isBehind) return { onLost, ended, placed }

  const known = new Set(
    found.map((row) => {
      const sequence = numberOf(row['sequence'])
      return scopeOf(row, idOf.get(sequence) ?? lostIds.get(sequence))
    }),
  )
  for (const { details, at: placedAt } of inForce(audit.rows)) {
    if (known.has(JSON.stringify(SCOPE.map((name) => details[name] ?? null)))) continue
    const id = details['evidenceId']
    const sequence = typeof id === 'string' ? (sequenceOf.get(id) ?? lostSequences.get(id)) : null
    if (sequence !== undefined) place(rowOf(details, sequence, placedAt))
  }
  // A log from its very first row on tells of every hold.
  if (audit.lost === '' && audit.anchor.sequence === 0) return { onLost, ended, placed }
  for (const { sequence } of lost) if (!onLost.has(sequence)) note(sequence, null)
  placed.push(holdEverything(insert, { kind: 'salvage', reason: REASON, at }))
  return { onLost, ended, placed }
}

const SCOPE = ['caseNumber', 'evidenceId', 'camera', 'ruleId', 'from', 'until'] as const

/** Holds that the audit log says were placed, and not that they ended. */
function inForce(audit: readonly SavedAuditRow[]): readonly SavedAuditRow[] {
  const open = new Map<string, SavedAuditRow>()
  for (const row of audit) {
    const scope = JSON.stringify(SCOPE.map((name) => row.details[name] ?? null))
    if (row.kind === 'hold-placed') open.set(scope, row)
    if (row.kind === 'hold-released' || row.kind === 'hold-lost') open.delete(scope)
  }
  return [...open.values()]
}

/** What the view `held` says, of evidence that is in no table any more. */
function fits(hold: Row, evidence: Row): boolean {
  const judgedAt = numberOf(evidence['judged_at'])
  const { camera = null, rule_id: ruleId = null, judged_from: from = null, judged_until: until = null } = hold
  return (
    (camera === null || camera === evidence['camera']) &&
    (ruleId === null || ruleId === evidence['rule_id']) &&
    (from === null || numberOf(from) <= judgedAt) &&
    (until === null || numberOf(until) > judgedAt)
  )
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
