import { createHash } from 'node:crypto'
import type { AuditMark } from '../domain/checkpoint.ts'

/** One row as the database holds it. */
export interface ChainRow extends AuditMark {
  readonly at: number
  readonly kind: string
  /** JSON. */
  readonly details: string
}

/** Something about the audit log that is not as it was written. */
export interface AuditFault {
  /** The first row that it is about. */
  readonly sequence: number
  readonly kind: 'changed' | 'missing' | 'added' | 'cut'
  /** In words, with the place. */
  readonly message: string
}

export interface AuditCheck {
  /** Rows that were looked at. */
  readonly rows: number
  /** In the order of the log, at most `MAX_FAULTS`. */
  readonly faults: readonly AuditFault[]
  /** The last row that says that the log was saved from a damaged store, which may have taken rows; 0 where none does. */
  readonly salvagedAt: number
  /** Rows that are missing, and that such a row names. */
  readonly lost: number
}

/** Beyond this it is clear enough that the log is worth nothing. */
const MAX_FAULTS = 100

/** The hash of a row: over its content and the hash of the row before. */
export function chainHash(before: string, { sequence, at, kind, details }: Omit<ChainRow, 'hash'>): string {
  const content = JSON.stringify([before, sequence, at, kind, details])
  return createHash('sha256').update(content).digest('hex')
}

/** Follows the chain row by row. After a fault it goes on from what the database holds, so that all are found. */
export interface ChainCheck {
  /** To be called in the order of the rows. */
  take(row: ChainRow): void
  /** @param pruning details of the last row that records a pruning: only that may have moved the anchor. */
  end(told: { readonly head: AuditMark; readonly pruning: string | undefined }): AuditCheck
}

/** Begins to follow the chain behind its anchor. */
export function followChain(anchor: AuditMark): ChainCheck {
  const faults: AuditFault[] = []
  const fault = (sequence: number, kind: AuditFault['kind'], message: string): void => {
    if (faults.length < MAX_FAULTS) faults.push({ sequence, kind, message })
  }
  let before = anchor
  let rows = 0
  let salvagedAt = 0
  let lost = 0
  /** Faults of rows that are missing, with the last of them: a later row may say why. */
  const gaps = new Map<AuditFault, number>()

  const miss = (first: number, last: number): void => {
    fault(first, 'missing', `${span(first, last)} missing`)
    const it = faults.at(-1)
    if (it?.sequence === first) gaps.set(it, last)
  }
  /** What damage took is no fault where the log says so. */
  const explain = (spans: readonly (readonly [number, number])[]): void => {
    for (const [gap, last] of gaps) {
      if (!spans.some(([from, to]) => from <= gap.sequence && last <= to)) continue
      lost += last - gap.sequence + 1
      faults.splice(faults.indexOf(gap), 1)
      gaps.delete(gap)
    }
  }

  return {
    take(row) {
      rows++
      const next = before.sequence + 1
      if (row.sequence < next) {
        fault(row.sequence, 'added', `row ${row.sequence} stands before the beginning of the log`)
        return
      }
      if (row.sequence > next) miss(next, row.sequence - 1)
      else if (row.hash !== chainHash(before.hash, row)) {
        fault(next, 'changed', `row ${next} does not follow from the row before: one of the two was changed`)
      }
      before = row
      if (row.kind !== 'store-salvaged') return
      salvagedAt = row.sequence
      explain(lostSpans((JSON.parse(row.details) as { lostRows?: unknown }).lostRows))
    },

    end({ head, pruning }) {
      if (!isRecorded(anchor, pruning)) {
        fault(anchor.sequence, 'cut', `rows up to ${anchor.sequence} were cut off, and no pruning says so`)
      }
      if (before.sequence < head.sequence) {
        fault(before.sequence + 1, 'missing', `${span(before.sequence + 1, head.sequence)} missing`)
      } else if (before.sequence > head.sequence) {
        fault(head.sequence + 1, 'added', `rows from ${head.sequence + 1} on were added from outside`)
      } else if (before.hash !== head.hash) {
        fault(head.sequence, 'changed', `row ${head.sequence}, the last one, is not the one that was written`)
      }
      return { rows, faults: faults.sort((a, b) => a.sequence - b.sequence), salvagedAt, lost }
    },
  }
}

function isRecorded(anchor: AuditMark, pruning: string | undefined): boolean {
  if (pruning === undefined) return anchor.sequence === 0
  return pruning === JSON.stringify({ hash: anchor.hash, through: anchor.sequence })
}

/** @param lostRows of a `store-salvaged` row, like `17 40-52`. */
export function lostSpans(lostRows: unknown): (readonly [number, number])[] {
  if (typeof lostRows !== 'string' || lostRows === '') return []
  return lostRows.split(' ').map((each) => {
    const [from = NaN, to = from] = each.split('-').map(Number)
    return [from, to]
  })
}

function span(first: number, last: number): string {
  return first === last ? `row ${first} is` : `rows ${first} to ${last} are`
}
