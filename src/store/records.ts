import { USABLE_BYTES } from './page.ts'

/**
 * The rows of a page of SQLite (https://sqlite.org/fileformat2.html#b_tree_pages), without the tree that leads to them: where a page
 * of the tree is damaged, those below it are still whole.
 */

/** One value of a row; integers beyond 2⁵³ do not occur. */
export type Value = string | number | Buffer | null

/** Where a row lies. */
export interface Cell {
  /** Of a table with a rowid: the row's; undefined for one without. */
  readonly rowid: number | undefined
  /** The row's values, `overflow` being asked for what does not lie in the page. Undefined where a part of it is gone. */
  read(overflow: (page: number) => Buffer | undefined): readonly Value[] | undefined
  /** The first values, as far as they lie in the page. */
  readonly start: readonly Value[]
  /** How many values there are. */
  readonly width: number
}

const TABLE_INTERIOR = 5
const TABLE_LEAF = 13
const INDEX_LEAF = 10
const INDEX_INTERIOR = 2
const LEAST_LOCAL = Math.floor(((USABLE_BYTES - 12) * 32) / 255) - 23
const MOST_LOCAL = { table: USABLE_BYTES - 35, index: Math.floor(((USABLE_BYTES - 12) * 64) / 255) - 23 }
/** Pages that say where others belong (auto_vacuum): https://sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages */
const POINTERS = Math.floor(USABLE_BYTES / 5) + 1

/** The rows that lie in a page; none where it is a page of another kind. */
export function cellsOf(page: Buffer, number: number): Cell[] {
  const header = number === 1 ? 100 : 0
  const kind = page[header]
  if ((number - 2) % POINTERS === 0 || number === 1) return []
  if (kind !== TABLE_LEAF && kind !== INDEX_LEAF && kind !== INDEX_INTERIOR) return []
  const pointers = header + (kind === INDEX_INTERIOR ? 12 : 8)
  const count = page.readUInt16BE(header + 3)
  return Array.from({ length: count }, (_, i) => cellAt(page, page.readUInt16BE(pointers + 2 * i), kind))
}

/** The pages below one of a table's tree; none where it is a leaf, undefined where it is a page of another kind. */
export function childrenOf(page: Buffer): readonly number[] | undefined {
  if (page[0] === TABLE_LEAF) return []
  if (page[0] !== TABLE_INTERIOR) return undefined
  const children = Array.from({ length: page.readUInt16BE(3) }, (_, i) =>
    page.readUInt32BE(page.readUInt16BE(12 + 2 * i)),
  )
  return [...children, page.readUInt32BE(8)]
}

function cellAt(page: Buffer, start: number, kind: number): Cell {
  let at = kind === INDEX_INTERIOR ? start + 4 : start
  const [bytes, afterBytes] = varint(page, at)
  at = afterBytes
  let rowid: number | undefined
  if (kind === TABLE_LEAF) [rowid, at] = varint(page, at)
  const most = kind === TABLE_LEAF ? MOST_LOCAL.table : MOST_LOCAL.index
  const fitting = LEAST_LOCAL + ((bytes - LEAST_LOCAL) % (USABLE_BYTES - 4))
  const local = bytes <= most ? bytes : fitting <= most ? fitting : LEAST_LOCAL
  const payload = page.subarray(at, at + local)
  const next = local < bytes ? page.readUInt32BE(at + local) : 0
  return {
    rowid,
    start: valuesOf(payload),
    width: widthOf(payload),
    read(overflow) {
      const parts = [payload]
      let left = bytes - local
      for (let number = next; left > 0;) {
        const more = number > 0 ? overflow(number) : undefined
        if (!more) return undefined
        parts.push(more.subarray(4, 4 + Math.min(left, USABLE_BYTES - 4)))
        left -= USABLE_BYTES - 4
        number = more.readUInt32BE(0)
      }
      return valuesOf(Buffer.concat(parts))
    },
  }
}

/** https://sqlite.org/fileformat2.html#record_format; ends with the last value that is there as a whole. */
function valuesOf(record: Buffer): Value[] {
  const values: Value[] = []
  let [body, at] = varint(record, 0)
  for (const end = body; at < end;) {
    const [type, next] = varint(record, at)
    at = next
    const length = lengthOf(type)
    if (body + length > record.length) break
    values.push(valueOf(type, record.subarray(body, body + length)))
    body += length
  }
  return values
}

function widthOf(record: Buffer): number {
  let width = 0
  for (let [end, at] = varint(record, 0); at < end; width++) at = varint(record, at)[1]
  return width
}

function lengthOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2)
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][type] ?? 0
}

function valueOf(type: number, bytes: Buffer): Value {
  if (type >= 12) return type % 2 === 0 ? Buffer.from(bytes) : bytes.toString('utf8')
  if (type === 0) return null
  if (type === 7) return bytes.readDoubleBE()
  if (type === 8 || type === 9) return type - 8
  return bytes.length === 8 ? Number(bytes.readBigInt64BE()) : bytes.readIntBE(0, bytes.length)
}

/** https://sqlite.org/fileformat2.html#varint; the value and where it ends. */
function varint(bytes: Buffer, start: number): [number, number] {
  let value = 0
  for (let at = start; at < start + 8; at++) {
    const byte = bytes[at] ?? 0
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) return [value, at + 1]
  }
  return [value * 256 + (bytes[start + 8] ?? 0), start + 9]
}
