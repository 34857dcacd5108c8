import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { findSalt } from './head.ts'
import { PAGE_BYTES, pageOpener } from './page.ts'
import { type Cell, cellsOf, childrenOf, type Value } from './records.ts'
import { pagesInWal } from './wal.ts'

/** A row as the database holds it. */
export type Row = Readonly<Record<string, Value>>

/** Everything that can still be read in the files of a damaged database, page by page. */
export interface Carved {
  /** In the order of the first column. */
  rows(table: keyof typeof SHAPES): readonly Row[]
  /** The chunk of an evidence as it is stored; undefined where a part of it is gone. */
  chunk(sequence: number, index: number): Buffer | undefined
  /** Whether certainly every row of a table can be read. */
  isWhole(table: keyof typeof SHAPES): boolean
  /** Sequence numbers of evidence of which there is a spare, or chunks of an earlier version. */
  readonly sequences: Iterable<number>
  /** Pages that are not what was written, or are not there any more. */
  readonly damagedPages: number
}

/** Where the first page says how many pages there are: https://sqlite.org/fileformat2.html#in_header_database_size */
const SIZE_AT = 28

const rowid = 'rowid' as const
const isText = (value: Value | undefined): boolean => typeof value === 'string'
const isNumber = (value: Value | undefined): boolean => typeof value === 'number'
const isBytes = (value: Value | undefined): boolean => Buffer.isBuffer(value)
const isEmpty = (value: Value | undefined): boolean => value === null
const orEmpty = (is: (value: Value | undefined) => boolean) => (value: Value | undefined) =>
  is(value) || isEmpty(value)
const isJob = (value: Value | undefined): boolean => typeof value === 'string' && /^[a-z]{1,15}$/.test(value)
const isId = (value: Value | undefined): boolean => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)

/** Of a column that came with a later version: rows that were written before lack it. */
const added =
  (is: (value: Value | undefined) => boolean) =>
  (value: Value | undefined): boolean =>
    value === undefined || is(value)
const isUuid = (value: Value | undefined): boolean =>
  typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value)

type Shape = Readonly<Record<string, 'rowid' | ((value: Value | undefined) => boolean)>>

/**
 * By what a row is known for one of its table: its columns and what may be in them. The first is the rowid where it says `rowid`.
 * No two of them fit the same row. Checkpoints are left out: the city has them.
 */
export const SHAPES = {
  evidence: {
    ...{ sequence: rowid, evidence_id: isText, camera: isText, rule_id: isText, judged_at: isNumber },
    ...{
      committed_at: isNumber,
      ciphertext_sha256: isText,
      ciphertext_bytes: isNumber,
      chunk_count: isNumber,
    },
    ...{ delivered_at: orEmpty(isNumber), receipt_key_id: orEmpty(isText) },
  },
  manifest: { sequence: rowid, envelope: isBytes },
  evidence_key: { sequence: rowid, day_key_id: isId, wrapped: isBytes },
  outbox: {
    ...{ sequence: rowid, due_at: isNumber, attempts: isNumber },
    ...{ last_attempt_at: orEmpty(isNumber), last_error: orEmpty(isText), asked_for: added(isNumber) },
  },
  tombstone: {
    ...{ sequence: rowid, evidence_id: isText, camera: isText, ciphertext_sha256: isText },
    ...{ ciphertext_bytes: isNumber, judged_at: isNumber, committed_at: isNumber, delivered_at: isNumber },
    ...{ receipt_key_id: isText, deleted_at: isNumber, why: isText },
  },
  audit: { sequence: rowid, at: isNumber, kind: isText, details: isText, hash: isText },
  legal_hold: {
    ...{
      hold_number: rowid,
      case_number: orEmpty(isText),
      reason: isText,
      placed_by: isText,
      placed_at: isNumber,
    },
    ...{ sequence: orEmpty(isNumber), camera: orEmpty(isText), rule_id: orEmpty(isText) },
    ...{ judged_from: orEmpty(isNumber), judged_until: orEmpty(isNumber) },
  },
  certificate: { certificate_number: rowid, issued_at: isNumber, envelope: isBytes },
  meta: {
    ...{ last_sequence: isNumber, audit_head_sequence: isNumber, audit_head_hash: isText },
    ...{ audit_anchor_sequence: isNumber, audit_anchor_hash: isText, selftest_passed_by: orEmpty(isText) },
    ...{ audit_log_id: isText, certified_through: isNumber, commands_forgotten: added(isNumber) },
    ...{
      commands_until: added(isNumber),
      commands_lost_until: added(isNumber),
      commands_lost: added(isNumber),
    },
  },
  day_key: { day_key_id: isId, day: isText, half: isBytes },
  command: {
    ...{ command_id: isUuid, sha256: isText, expires_at: isNumber, key_id_before: orEmpty(isText) },
    ...{ answer: orEmpty(isBytes), unsent: isNumber, outcome: added(orEmpty(isText)) },
  },
  schedule_run: { job: isJob, ran_at: isNumber },
} as const satisfies Record<string, Shape>

/** Reads the files of a database of which any part may be damaged, and changes nothing. @throws what reading a file throws. */
export function carve(file: string, key: Buffer): Carved {
  const salt = findSalt(file, key)
  const open = salt ? pageOpener(key, salt) : () => undefined
  const wal = existsSync(`${file}-wal`) ? readFileSync(`${file}-wal`) : Buffer.alloc(0)
  const inWal = wal.length > 0 ? pagesInWal(wal) : new Map<number, Buffer>()
  const inFile = Math.floor(statSync(file).size / PAGE_BYTES)
  // One by one: a damaged log may name a page billions of pages behind the end.
  const numbers = [
    ...Array.from({ length: inFile }, (_, i) => i + 1),
    ...[...inWal.keys()].filter((number) => number > inFile),
  ]
  const found = new Map<string, Row[]>(Object.keys(SHAPES).map((table) => [table, []]))
  const chunks = new Map<number, Map<number, number>>()
  const roots = new Map<Value, number>()
  const read = pageReader(file, (bytes, number) => open(inWal.get(number) ?? bytes, number))
  // Those that the database should have, by its first page, and that are in neither: it was cut off.
  const pages = read(1)?.readUInt32BE(SIZE_AT) ?? 1
  let damagedPages = Math.max(pages, inFile, ...inWal.keys()) - numbers.length

  for (const number of numbers) {
    const page = read(number)
    if (page) for (const cell of cellsOf(page, number)) take(cell, number)
    else damagedPages++
  }

  function take(cell: Cell, number: number): void {
    const [sequence, index] = cell.start
    const [kind, name, , root] = cell.start
    // https://sqlite.org/schematab.html
    if (cell.width === 5 && kind === 'table' && name !== undefined && typeof root === 'number')
      roots.set(name, root)
    const isChunk = cell.rowid === undefined && cell.width === 3
    if (isChunk && typeof sequence === 'number' && typeof index === 'number') {
      const ofEvidence = chunks.get(sequence) ?? new Map<number, number>()
      chunks.set(sequence, ofEvidence.set(index, number))
      return
    }
    const values = cell.read(read)
    if (!values) return
    for (const [table, shape] of Object.entries(SHAPES)) {
      const row = fit(shape, values, cell.rowid)
      if (row) found.get(table)?.push(row)
    }
  }

  function isReadable(number: number): boolean {
    const page = read(number)
    return page !== undefined && (childrenOf(page)?.every(isReadable) ?? false)
  }

  return {
    damagedPages,
    isWhole(table) {
      const root = roots.get(table)
      return root !== undefined && isReadable(root)
    },
    rows: (table) => {
      const [key = ''] = Object.keys(SHAPES[table])
      const unique = new Map((found.get(table) ?? []).map((row) => [row[key], row]))
      return [...unique.values()].sort((a, b) => ((a[key] ?? '') < (b[key] ?? '') ? -1 : 1))
    },
    chunk(sequence, index) {
      const number = chunks.get(sequence)?.get(index)
      const page = number === undefined ? undefined : read(number)
      if (!page || number === undefined) return undefined
      const cell = cellsOf(page, number).find(
        ({ rowid, start }) => rowid === undefined && start[0] === sequence && start[1] === index,
      )
      const bytes = cell?.read(read)?.[2]
      return Buffer.isBuffer(bytes) ? bytes : undefined
    },
    sequences: chunks.keys(),
  }
}

function fit(shape: Shape, values: readonly Value[], rowid: number | undefined): Row | undefined {
  const columns = Object.entries(shape)
  const hasRowid = columns[0]?.[1] === 'rowid'
  if (hasRowid && rowid === undefined) return undefined
  if (!columns.every(([, is], i) => (is === 'rowid' ? values[i] === null : is(values[i])))) return undefined
  return Object.fromEntries(
    columns.flatMap(([name], i): [string, Value][] => {
      if (hasRowid && i === 0) return [[name, rowid ?? null]]
      const value = values[i]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** Reads and opens pages one at a time. */
function pageReader(
  file: string,
  open: (bytes: Buffer, number: number) => Buffer | undefined,
): (number: number) => Buffer | undefined {
  return (number) => {
    const descriptor = openSync(file, 'r')
    try {
      const page = Buffer.alloc(PAGE_BYTES)
      readSync(descriptor, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES)
      return open(page, number)
    } finally {
      closeSync(descriptor)
    }
  }
}
