import type { Row } from './carved.ts'
import type { StoreDatabase } from './database.ts'

/**
 * What else belongs to an evidence, kept once more: its row, its wrapped key and the half of its day's key. Those
 * lie in a few pages that all evidence shares; a single damaged one of them must not cost what is whole. It lies in the table of chunks, which earlier versions filled.
 */

/** In place of a chunk's index. */
export const SPARE_INDEX = -1

/** Writes the spare of an evidence, or writes it anew, inside the transaction that stores or changes what it holds. */
export type KeepSpare = (sequence: number) => void

export function spareKeeper(db: StoreDatabase): KeepSpare {
  const read = db.prepare<[number], Row>(
    `SELECT evidence.*, day_key_id, day, half, wrapped FROM evidence JOIN evidence_key USING (sequence)
     JOIN day_key USING (day_key_id) WHERE sequence = ?`,
  )
  const write = db.prepare<[number, number, Buffer]>('INSERT OR REPLACE INTO chunk VALUES (?, ?, ?)')
  return (sequence) => {
    const row = read.get(sequence)
    if (row) write.run(sequence, SPARE_INDEX, Buffer.from(JSON.stringify(row, asText)))
  }
}

/** The rows that a spare stands for; undefined where it is none. What happened to the evidence later is not in it. */
export function readSpare(
  bytes: Buffer | undefined,
): { readonly evidence: Row; readonly key: Row; readonly dayKey: Row } | undefined {
  if (!bytes) return undefined
  const { day_key_id, day, half, wrapped, ...evidence } = JSON.parse(bytes.toString(), asBytes) as Row
  const { sequence } = evidence
  if (!sequence || !day_key_id || !day || !half || !wrapped) return undefined
  return { evidence, key: { sequence, day_key_id, wrapped }, dayKey: { day_key_id, day, half } }
}

/** JSON makes an object of a Buffer before it asks how. */
function asText(_: string, value: unknown): unknown {
  return isBufferObject(value) ? { base64: Buffer.from(value.data).toString('base64') } : value
}

function asBytes(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('base64' in value)) return value
  return Buffer.from(String(value.base64), 'base64')
}

function isBufferObject(value: unknown): value is { readonly data: readonly number[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'Buffer' &&
    'data' in value
  )
}
