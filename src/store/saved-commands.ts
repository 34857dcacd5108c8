import type { EpochMs } from '../domain/frame.ts'
import { COMMAND_CLOCK_TOLERANCE_MS, MAX_COMMAND_DAYS } from '../protocol/limits.ts'
import type { Carved, Row } from './carved.ts'
import type { StoreDatabase } from './database.ts'
import type { InsertRow } from './insert-row.ts'
import type { Standing } from './mark.ts'
import { numberOf, type SavedAudit, type SavedAuditRow } from './saved-audit.ts'

/** From when a command was taken until it has expired, at most. */
const LONGEST_MS = MAX_COMMAND_DAYS * 86_400_000 + COMMAND_CLOCK_TOLERANCE_MS

/**
 * Copies the memory of the city's commands. What is missing in their table is taken from the audit log. Where the log has lost rows,
 * too, any command that was issued before may have been taken: it is refused from now on, unless it is remembered.
 */
export function saveCommands(
  from: Carved,
  to: StoreDatabase,
  {
    insert,
    audit,
    standing,
  }: { readonly insert: InsertRow; readonly audit: SavedAudit; readonly standing: Standing | undefined },
): void {
  const { rows, meta } = audit
  const found = new Map(from.rows('command').map((row) => [String(row['command_id']), row]))
  const forgotten = numberOf(meta?.['commands_forgotten'])
  const isComplete = audit.isWhole && (from.damagedPages === 0 || !isCutWithin(LONGEST_MS, audit))
  const logged = rows.filter(isAboutTaken)
  for (const row of logged) {
    const saved = rowOf(row, rows)
    const known = found.get(saved.command_id)
    if (saved.expires_at <= forgotten || isConcluded(known)) continue
    found.set(saved.command_id, {
      ...saved,
      key_id_before: saved.key_id_before ?? known?.['key_id_before'] ?? null,
    })
  }
  // Whether what had begun was brought to its end, nobody knows where rows are lost.
  for (const row of found.values()) if (isComplete || isConcluded(row)) insert('command', row)

  const until = Math.max(
    ...[numberOf(meta?.['commands_until']), standing?.commandsUntil ?? 0],
    ...logged.map(({ at, details }) => momentOf(details['issuedAt']) ?? at + COMMAND_CLOCK_TOLERANCE_MS),
  )
  const isKnown = isComplete || standing?.commandsUntil !== undefined
  to.prepare(
    `UPDATE meta SET commands_forgotten = ?, commands_until = ?, commands_lost_until = ?, commands_lost = ?`,
  ).run(
    forgotten,
    until,
    Math.max(numberOf(meta?.['commands_lost_until']), isComplete ? 0 : until),
    Math.max(numberOf(meta?.['commands_lost']), isKnown ? 0 : 1),
  )
}

/** True where retention has cut rows off that are younger than that. */
function isCutWithin(ms: number, { anchor, rows }: SavedAudit): boolean {
  const [first, last] = [rows[0], rows.at(-1)]
  return anchor.sequence > 0 && !(first && last && last.at - first.at > ms)
}

function isConcluded(row: Row | undefined): boolean {
  return row !== undefined && ((row['answer'] ?? null) !== null || (row['outcome'] ?? null) !== null)
}

/** About a command that was taken; one that was refused for its form or its time was not, and is not named by its kind. */
function isAboutTaken({ kind, details }: SavedAuditRow): boolean {
  return (
    kind === 'command-begun' ||
    kind === 'command-executed' ||
    (kind === 'command-refused' && details['command'] !== undefined)
  )
}

/** As the table of commands would have it, but for the signature under the answer. */
function rowOf(row: SavedAuditRow, rows: readonly SavedAuditRow[]) {
  const { at, details } = row
  return {
    command_id: String(details['commandId']),
    sha256: String(details['sha256']),
    // Rows from before the times were recorded say at least when.
    expires_at: momentOf(details['expiresAt']) ?? at + LONGEST_MS,
    key_id_before: details['keyIdBefore'] ?? null,
    outcome: outcomeOf(row, rows),
  }
}

function outcomeOf(
  { sequence, kind, details }: SavedAuditRow,
  rows: readonly SavedAuditRow[],
): string | null {
  if (kind === 'command-begun') return null
  if (kind === 'command-refused') return JSON.stringify({ outcome: 'refused', code: details['code'] })
  const changed = Object.fromEntries(Object.entries(details).filter(([, value]) => typeof value === 'number'))
  const rotation = rows.find((each) => each.sequence === sequence - 1 && each.kind === 'signing-key-rotated')
  const { previousKeyId, keyId } = rotation?.details ?? {}
  const rotated = rotation ? { rotated: { previousKeyId, keyId } } : {}
  return JSON.stringify({ outcome: 'done', kind: details['command'], changed, ...rotated })
}

function momentOf(instant: string | number | undefined): EpochMs | undefined {
  return typeof instant === 'string' ? Date.parse(instant) : undefined
}
