import { createCipheriv, createDecipheriv, type DecipherGCM, randomBytes } from 'node:crypto'
import type { EpochMs } from '../domain/frame.ts'
import { free } from '../domain/release.ts'
import { RoadveilError } from '../errors.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import { type DayKeys, dayOf } from './day-key.ts'
import { spareKeeper } from './spare.ts'

/**
 * The layer around the sealed bytes of every evidence that can be taken away for good: they are encrypted once more with a key of
 * their own, and that key is stored wrapped with the key of the day (AES-256-GCM both times). Once the day's key is destroyed, what
 * may be left of the bytes in free blocks, or in copies that the file system or the disk made, is useless, also to who has the
 * database key.
 */
export interface OuterLayer {
  /** A key for new evidence of the day of `at`. Not inside a transaction: it may have to make the day's key. */
  begin(evidenceId: string, at: EpochMs): Cover
  /** Stores a cover's key with its evidence, inside the transaction that stores that. */
  keep(sequence: number, cover: Cover): void
  /**
   * Takes the layer off a chunk, or the manifest. Throws ERR_DAY_KEY when the key of the day is gone, ERR_STORE_CORRUPT when it is not
   * what was sealed.
   */
  open(sealed: Covered, index: number): Uint8Array
  /** The same for what earlier versions stored in the database, whose pages are authenticated: AES-256-CTR, or nothing. */
  openOlder(covered: Covered, index: number): Uint8Array
  /**
   * Wraps the keys of confirmed evidence of earlier days, which only a legal hold keeps, with today's key: a hold must not keep the
   * key of everything else of its day.
   */
  moveHeld(at: EpochMs): void
}

/** What covers one evidence. Its key is wiped when it is disposed of. */
export interface Cover extends Disposable {
  readonly dayKeyId: string
  readonly wrapped: Buffer
  /** Encrypts and authenticates the chunk with this index, or the manifest. */
  seal(bytes: Uint8Array, index: number): { readonly bytes: Buffer; readonly tag: Buffer }
}

/** Bytes as they are stored; without a key they are not covered. */
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

/** In place of a chunk's index: the manifest's. */
export const MANIFEST_INDEX = 0xffff_ffff

const KEY_BYTES = 32
const NONCE_BYTES = 12
/** Behind each chunk in its file. */
export const TAG_BYTES = 16
const GCM = { authTagLength: TAG_BYTES }

export function outerLayerOf(db: StoreDatabase, dayKeys: DayKeys): OuterLayer {
  const insert = db.prepare<[number, string, Buffer]>('INSERT OR REPLACE INTO evidence_key VALUES (?, ?, ?)')
  const keepSpare = spareKeeper(db)
  const rewrap = db.prepare<[string, Buffer, number]>(
    'UPDATE evidence_key SET day_key_id = ?, wrapped = ? WHERE sequence = ?',
  )
  const confirmedBefore = db.prepare<[string], WrappedKey>(
    `SELECT sequence, evidence_id AS evidenceId, day_key_id AS dayKeyId, wrapped
     FROM evidence JOIN evidence_key USING (sequence) JOIN day_key USING (day_key_id)
     WHERE delivered_at IS NOT NULL AND day < ?`,
  )
  function unwrap({ evidenceId, dayKeyId, wrapped }: Omit<WrappedKey, 'sequence'>): Buffer {
    const dayKey = dayKeys.find(dayKeyId)
    const key = dayKey && unwrapKey(wrapped, dayKey, evidenceId)
    if (key) return key
    throw new RoadveilError('ERR_DAY_KEY', `the key of the day of evidence ${evidenceId} is gone`)
  }

  return {
    begin(evidenceId, at) {
      const day = dayKeys.ofDay(at)
      const key = randomBytes(KEY_BYTES)
      return {
        dayKeyId: day.id,
        wrapped: wrapKey(key, day.key, evidenceId),
        seal: (bytes, index) => sealWith(key, index, bytes),
        [Symbol.dispose]: () => void key.fill(0),
      }
    },

    keep(sequence, { dayKeyId, wrapped }) {
      insert.run(sequence, dayKeyId, wrapped)
      keepSpare(sequence)
    },

    openOlder({ evidenceId, bytes, dayKeyId, wrapped }, index) {
      if (dayKeyId === null || wrapped === null) return bytes
      const key = unwrap({ evidenceId, dayKeyId, wrapped })
      try {
        return decryptOlder(key, index, bytes)
      } finally {
        key.fill(0)
      }
    },

    open({ evidenceId, bytes, dayKeyId, wrapped }, index) {
      const key =
        dayKeyId === null || wrapped === null ? undefined : unwrap({ evidenceId, dayKeyId, wrapped })
      const chunk = key && unsealWith(key, index, bytes)
      key?.fill(0)
      if (chunk) return chunk
      throw new RoadveilError('ERR_STORE_CORRUPT', `evidence ${evidenceId} is not what was stored`)
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
  }
}

/** What the file of an evidence is made of. Each piece is given back when the next one is asked for. */
export function* sealedPieces(
  cover: Cover,
  { chunks, manifest }: { readonly chunks: Iterable<Uint8Array>; readonly manifest: Uint8Array },
): Generator<Uint8Array> {
  let index = 0
  for (const chunk of chunks) {
    const { bytes, tag } = cover.seal(chunk, index++)
    yield bytes
    free(bytes)
    yield tag
  }
  const { bytes, tag } = cover.seal(manifest, MANIFEST_INDEX)
  yield bytes
  yield tag
}

/** No two calls with one key shared a counter: an index has 2³² blocks of 16 bytes, a chunk 6,144. */
function decryptOlder(key: Buffer, index: number, bytes: Uint8Array): Buffer {
  const counter = Buffer.alloc(16)
  counter.writeUInt32BE(index, 8)
  return createDecipheriv('aes-256-ctr', key, counter).update(bytes)
}

/** A key seals each index once. */
function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUInt32BE(index, NONCE_BYTES - 4)
  return nonce
}

function sealWith(
  key: Buffer,
  index: number,
  plain: Uint8Array,
): { readonly bytes: Buffer; readonly tag: Buffer } {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index), GCM)
  const bytes = cipher.update(plain)
  cipher.final()
  return { bytes, tag: cipher.getAuthTag() }
}

function unsealWith(key: Buffer, index: number, sealed: Buffer): Buffer | undefined {
  return opened(sealed, createDecipheriv('aes-256-gcm', key, nonceOf(index), GCM))
}

function wrapKey(key: Buffer, dayKey: Buffer, evidenceId: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', dayKey, nonce, GCM).setAAD(Buffer.from(evidenceId))
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
}

function unwrapKey(wrapped: Buffer, dayKey: Buffer, evidenceId: string): Buffer | undefined {
  const nonce = wrapped.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', dayKey, nonce, GCM).setAAD(Buffer.from(evidenceId))
  return opened(wrapped.subarray(NONCE_BYTES), decipher)
}

/** What stands before the tag, or undefined where the tag does not fit. */
function opened(sealed: Buffer, decipher: DecipherGCM): Buffer | undefined {
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const plain = decipher.update(sealed.subarray(0, -TAG_BYTES))
    decipher.final()
    return plain
  } catch {
    return undefined
  }
}
