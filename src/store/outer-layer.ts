import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import { type DayKeys, dayOf } from './day-key.ts'
import { spareKeeper } from './spare.ts'

/**
 * The layer around the sealed bytes of every evidence that can be taken away for good: they are encrypted once more with a key of
 * their own (AES-256-CTR, which keeps their length; the database authenticates its pages, and the manifest names their hashes), and
 * that key is stored wrapped with the key of the day (AES-256-GCM). Once the day's key is destroyed, what may be left of the bytes in
 * free pages, in the log, or in copies that the file system or the disk made is useless, also to who has the database key.
 */
export interface OuterLayer {
  /** A key for new evidence of the day of `at`. Not inside a transaction: it may have to make the day's key. */
  begin(evidenceId: string, at: EpochMs): Cover
  /** Stores a cover's key with its evidence, inside the transaction that stores that. */
  keep(sequence: number, cover: Cover): void
  /** Takes the layer off. Throws ERR_DAY_KEY when the key of the day is gone. */
  open(covered: Covered, index: number): Uint8Array
  /**
   * Wraps the keys of confirmed evidence of earlier days, which only a legal hold keeps, with today's key: a hold must not keep the
   * key of everything else of its day.
   */
  moveHeld(at: EpochMs): void
  /** Puts the layer around one evidence that was stored before there was any. Returns false when there is none. */
  coverOlder(at: EpochMs): boolean
}

/** What covers one evidence. */
export interface Cover {
  readonly dayKeyId: string
  readonly wrapped: Buffer
  /** Encrypts the chunk with this index, or the manifest. */
  cover(bytes: Uint8Array, index: number): Buffer
}

/** Bytes as the database holds them; without a key they are not covered. */
export interface Covered {
  readonly evidenceId: string
  readonly bytes: Buffer
  readonly dayKeyId: string | null
  readonly wrapped: Buffer | null
}

interface WrappedKey {
  sequence: number
  evidenceId: string
  dayKeyId: string
  wrapped: Buffer
}

/** In place of a chunk's index. */
export const MANIFEST_INDEX = 0xffff_ffff

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const GCM = { authTagLength: TAG_BYTES }

export function outerLayerOf(db: StoreDatabase, dayKeys: DayKeys): OuterLayer {
  const insert = db.prepare<[number, string, Buffer]>('INSERT INTO evidence_key VALUES (?, ?, ?)')
  const keepSpare = spareKeeper(db)
  const rewrap = db.prepare<[string, Buffer, number]>(
    'UPDATE evidence_key SET day_key_id = ?, wrapped = ? WHERE sequence = ?',
  )
  const confirmedBefore = db.prepare<[string], WrappedKey>(
    `SELECT sequence, evidence_id AS evidenceId, day_key_id AS dayKeyId, wrapped
     FROM evidence JOIN evidence_key USING (sequence) JOIN day_key USING (day_key_id)
     WHERE delivered_at IS NOT NULL AND day < ?`,
  )
  const uncovered = db.prepare<[], { sequence: number; evidenceId: string }>(
    `SELECT sequence, evidence_id AS evidenceId FROM evidence
     WHERE sequence NOT IN (SELECT sequence FROM evidence_key) ORDER BY sequence LIMIT 1`,
  )
  const readChunk = db.prepare<[number, number], { bytes: Buffer }>(
    'SELECT bytes FROM chunk WHERE sequence = ? AND chunk_index = ?',
  )
  const writeChunk = db.prepare<[Buffer, number, number]>(
    'UPDATE chunk SET bytes = ? WHERE sequence = ? AND chunk_index = ?',
  )
  const readManifest = db.prepare<[number], { bytes: Buffer }>(
    'SELECT envelope AS bytes FROM manifest WHERE sequence = ?',
  )
  const writeManifest = db.prepare<[Buffer, number]>('UPDATE manifest SET envelope = ? WHERE sequence = ?')

  function unwrap({ evidenceId, dayKeyId, wrapped }: Omit<WrappedKey, 'sequence'>): Buffer {
    const dayKey = dayKeys.find(dayKeyId)
    const key = dayKey && unwrapKey(wrapped, dayKey, evidenceId)
    if (key) return key
    throw new RoadveilError('ERR_DAY_KEY', `the key of the day of evidence ${evidenceId} is gone`)
  }

  const layer: OuterLayer = {
    begin(evidenceId, at) {
      const day = dayKeys.ofDay(at)
      const key = randomBytes(KEY_BYTES)
      return {
        dayKeyId: day.id,
        wrapped: wrapKey(key, day.key, evidenceId),
        cover: (bytes, index) => crypt(key, index, bytes),
      }
    },

    keep(sequence, { dayKeyId, wrapped }) {
      insert.run(sequence, dayKeyId, wrapped)
      keepSpare(sequence)
    },

    open({ evidenceId, bytes, dayKeyId, wrapped }, index) {
      if (dayKeyId === null || wrapped === null) return bytes
      const key = unwrap({ evidenceId, dayKeyId, wrapped })
      try {
        return crypt(key, index, bytes)
      } finally {
        key.fill(0)
      }
    },

    moveHeld(at) {
      const rows = query(() => confirmedBefore.all(dayOf(at)))
      if (rows.length === 0) return
      const today = dayKeys.ofDay(at)
      transact(db, () => {
        for (const row of rows) {
          // What cannot be opened any more stays as it is.
          if (!dayKeys.find(row.dayKeyId)) continue
          const key = unwrap(row)
          rewrap.run(today.id, wrapKey(key, today.key, row.evidenceId), row.sequence)
          keepSpare(row.sequence)
          key.fill(0)
        }
      })
    },

    coverOlder(at) {
      const evidence = query(() => uncovered.get())
      if (!evidence) return false
      const { sequence, evidenceId } = evidence
      const cover = layer.begin(evidenceId, at)
      transact(db, () => {
        for (let index = 0; ; index++) {
          const chunk = readChunk.get(sequence, index)
          if (!chunk) break
          writeChunk.run(cover.cover(chunk.bytes, index), sequence, index)
        }
        const manifest = readManifest.get(sequence)
        if (manifest) writeManifest.run(cover.cover(manifest.bytes, MANIFEST_INDEX), sequence)
        layer.keep(sequence, cover)
      })
      return true
    },
  }
  return layer
}

/** The same there and back. No two calls with one key share a counter: an index has 2³² blocks of 16 bytes, a chunk 6,144. */
function crypt(key: Buffer, index: number, bytes: Uint8Array): Buffer {
  const counter = Buffer.alloc(16)
  counter.writeUInt32BE(index, 8)
  return createCipheriv('aes-256-ctr', key, counter).update(bytes)
}

function wrapKey(key: Buffer, dayKey: Buffer, evidenceId: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', dayKey, nonce, GCM).setAAD(Buffer.from(evidenceId))
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
}

function unwrapKey(wrapped: Buffer, dayKey: Buffer, evidenceId: string): Buffer | undefined {
  const nonce = wrapped.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', dayKey, nonce, GCM).setAAD(Buffer.from(evidenceId))
  decipher.setAuthTag(wrapped.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}
