import type { AuditMark } from '../domain/checkpoint.ts'
import type { EpochMs } from '../domain/frame.ts'
import { lostSpans } from './audit-chain.ts'
import type { Carved, Row } from './carved.ts'
import type { InsertRow } from './insert-row.ts'
import type { Standing } from './mark.ts'

/** What the audit log of a damaged store still says. */
export interface SavedAudit {
  readonly rows: readonly SavedAuditRow[]
  /** Rows that are gone, `17 40-52`; empty where none is. The last span may be wider than the damage. */
  readonly lost: string
  /** True where none is gone but what an earlier salvage has recorded. */
  readonly isWhole: boolean
  /** True where the database may be one of before: the mark knows of more rows than it counts. */
  readonly isBehind: boolean
  /** Where the log goes on: behind everything that it may have held. */
  readonly head: AuditMark
  readonly anchor: AuditMark
  readonly logId: string | undefined
  /** The row of counters; undefined where it is gone. */
  readonly meta: Row | undefined
}

export interface SavedAuditRow {
  readonly sequence: number
  readonly at: EpochMs
  readonly kind: string
  readonly hash: string
  readonly details: Readonly<Record<string, string | number>>
}

/** More than any damage can hide: numbers are not used again, whatever was lost. */
const LEAP = 1_000_000
const MAX_SPANS = 100

/** Copies every row that can be read. @param at now: no store counts faster than one a second. */
export function saveAudit(
  from: Carved,
  insert: InsertRow,
  { standing, at }: { readonly standing: Standing | undefined; readonly at: EpochMs },
): SavedAudit {
  const meta = from.rows('meta').at(-1)
  const told = Math.max(numberOf(meta?.['audit_head_sequence']), standing?.auditSequence ?? 0)
  const rows = from.rows('audit').map((row): SavedAuditRow => {
    insert('audit', row)
    const details = JSON.parse(String(row['details'])) as SavedAuditRow['details']
    return {
      ...{ sequence: numberOf(row['sequence']), at: numberOf(row['at']), details },
      ...{ kind: String(row['kind']), hash: String(row['hash']) },
    }
  })
  const last = rows.at(-1)
  const anchor = meta
    ? { sequence: numberOf(meta['audit_anchor_sequence']), hash: String(meta['audit_anchor_hash']) }
    : anchorOf(rows)
  const counted = meta ? numberOf(meta['audit_head_sequence']) : (last?.sequence ?? 0)
  const isBehind = standing ? counted < standing.auditSequence : meta === undefined
  const isEnd = meta !== undefined && (last?.sequence ?? anchor.sequence) === told
  const end = leapOver(Math.max(told, last?.sequence ?? 0), isEnd, at)
  const head =
    last?.sequence === end
      ? last
      : { sequence: end, hash: end === anchor.sequence ? anchor.hash : end === 0 ? '' : LOST_HASH }
  const spans = spansBetween(anchor.sequence, rows, end)
  const recorded = rows.flatMap(({ kind, details }) =>
    kind === 'store-salvaged' ? lostSpans(details['lostRows']) : [],
  )
  return {
    ...{ rows, anchor, meta, isBehind },
    lost: textOf(spans),
    isWhole: spans.every(([from, to]) => recorded.some(([first, last]) => first <= from && to <= last)),
    head: { sequence: head.sequence, hash: head.hash },
    logId: meta ? String(meta['audit_log_id'] ?? '') || undefined : standing?.logId,
  }
}

/** A number behind the greatest that is known; far behind it where that may not be the greatest that there was. */
export function leapOver(greatest: number, isSure: boolean, at: EpochMs): number {
  return isSure ? greatest : Math.max(greatest + LEAP, Math.floor(at / 1000))
}

export function numberOf(value: Row[string] | undefined): number {
  return typeof value === 'number' ? value : 0
}

/** In place of the hash of a row that is gone: the next row's hash follows from it. */
const LOST_HASH = '0'.repeat(64)

/** As the last pruning says it. */
function anchorOf(rows: readonly SavedAuditRow[]): AuditMark {
  const pruning = rows.findLast(({ kind }) => kind === 'audit-pruned')?.details
  return pruning
    ? { sequence: Number(pruning['through']), hash: String(pruning['hash']) }
    : { sequence: 0, hash: '' }
}

function spansBetween(
  anchor: number,
  rows: readonly SavedAuditRow[],
  end: number,
): readonly (readonly [number, number])[] {
  const spans: [number, number][] = []
  let before = anchor
  for (const next of [...rows.map(({ sequence }) => sequence), end + 1]) {
    if (next > before + 1) spans.push([before + 1, next - 1])
    before = Math.max(before, next)
  }
  return spans
}

function textOf(spans: readonly (readonly [number, number])[]): string {
  const rest = spans.slice(MAX_SPANS - 1)
  const [first, last] = [rest[0], rest.at(-1)]
  const listed = first && last ? [...spans.slice(0, MAX_SPANS - 1), [first[0], last[1]] as const] : spans
  return listed.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ')
}
