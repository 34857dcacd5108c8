import type { EpochMs } from '../domain/frame.ts'
import type { Receipt } from '../domain/receipt.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Audit } from './audit.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { DeleteEvidence, EvidenceDeletion } from './deletion.ts'
import type { CiphertextSize, EvidenceFiles } from './evidence-files.ts'
import type { OlderEvidence } from './older-evidence.ts'
import { type Covered, MANIFEST_INDEX, type OuterLayer } from './outer-layer.ts'
import type { Space } from './space.ts'

/** One sealed evidence that the city has not confirmed. */
export interface OutboxEntry {
  /** Rises by one with each evidence that is stored. */
  readonly sequence: number
  readonly evidenceId: string
  /** Lower-case hex. */
  readonly ciphertextSha256: string
  readonly ciphertextBytes: number
  readonly chunkCount: number
  /** Tries that failed so far. */
  readonly attempts: number
}

/** What a receipt did: `already` and a second `held` are replays, `kept` is a receipt that does not say that the city has it. */
export type Settlement = 'deleted' | 'held' | 'already' | 'kept'

/** Every call is done when it returns, and throws a coded error when it cannot be. */
export interface Outbox {
  /** At most `limit` entries that are to arrive in the order of storing: all but those that were set aside. What the city asked for comes first, then the oldest. */
  inOrder(limit: number): readonly OutboxEntry[]
  /**
   * At most `limit` of the entries that were set aside and whose time has come, the longest overdue first.
   *
   * @param but error codes: what failed with one of them last is left out.
   */
  setAside(now: EpochMs, limit: number, but?: readonly string[]): readonly OutboxEntry[]
  /** The signed manifest. Throws ERR_EVIDENCE_UNKNOWN, ERR_DAY_KEY, ERR_STORE_CORRUPT where it is not what was stored. */
  manifest(evidenceId: string): Uint8Array
  /** The chunk with this index, from 0. Throws ERR_EVIDENCE_UNKNOWN, ERR_DAY_KEY, ERR_STORE_CORRUPT where it is not what was stored. */
  chunk(evidenceId: string, index: number): Uint8Array
  /**
   * Notes an attempt that failed. A `nextAt` after `at` sets the evidence aside until then; otherwise it keeps its place. Of evidence
   * that a receipt has settled meanwhile nothing is noted.
   */
  recordAttempt(
    evidenceId: string,
    attempt: { readonly at: EpochMs; readonly nextAt: EpochMs; readonly errorCode: string },
  ): void
  /** Gives what was set aside with this code its place in the order back, but for evidence with these ids. Returns how many. */
  backInOrder(errorCode: string, but?: readonly string[]): number
  /**
   * Acts on a receipt whose signature was checked. `stored` and `duplicate` delete the evidence and leave a tombstone, or only take
   * it from the outbox where a legal hold is on it; anything else deletes nothing.
   *
   * Throws ERR_EVIDENCE_UNKNOWN, ERR_RECEIPT_MISMATCH when it is for another device or ciphertext.
   */
  settle(receipt: Receipt, at: EpochMs): Settlement
}

/** By which the parts of an evidence are found and opened. */
interface Located extends Omit<Covered, 'bytes'>, CiphertextSize {
  readonly sequence: number
}

interface Standing {
  sequence: number
  sha256: string
  deliveredAt: number | null
  held: number
}

export function outboxOf(
  db: StoreDatabase,
  {
    deviceId,
    audit,
    space,
    layer,
    files,
    older,
    deletion,
  }: {
    deviceId: string
    audit: Audit
    space: Space
    layer: OuterLayer
    files: EvidenceFiles
    older: OlderEvidence
    deletion: EvidenceDeletion
  },
): Outbox {
  const entries = `SELECT sequence, evidence_id AS evidenceId, ciphertext_sha256 AS ciphertextSha256, ciphertext_bytes AS ciphertextBytes,
     chunk_count AS chunkCount, attempts
     FROM outbox JOIN evidence USING (sequence)`
  const inOrder = db.prepare<[number], OutboxEntry>(
    `${entries} WHERE coalesce(due_at <= last_attempt_at, true) ORDER BY asked_for DESC, sequence LIMIT ?`,
  )
  // An attempt that lies in the future means that the clock went back since: waiting for it could take years.
  const setAside = db.prepare<{ now: number; limit: number; but: string }, OutboxEntry>(
    `${entries} WHERE due_at > last_attempt_at AND (due_at <= :now OR last_attempt_at > :now)
      AND last_error NOT IN (SELECT value FROM json_each(:but)) ORDER BY due_at LIMIT :limit`,
  )
  const backInOrder = db.prepare<[string, string]>(
    `UPDATE outbox SET due_at = last_attempt_at WHERE due_at > last_attempt_at AND last_error = ?
     AND sequence NOT IN (SELECT sequence FROM evidence WHERE evidence_id IN (SELECT value FROM json_each(?)))`,
  )
  const located = db.prepare<[string], Located>(
    `SELECT sequence, evidence_id AS evidenceId, ciphertext_bytes AS bytes, chunk_count AS chunks, day_key_id AS dayKeyId, wrapped
     FROM evidence LEFT JOIN evidence_key USING (sequence) WHERE evidence_id = ?`,
  )
  const attempt = db.prepare<[number, number, string, string]>(
    `UPDATE outbox SET attempts = attempts + 1, last_attempt_at = ?, due_at = ?, last_error = ?
     WHERE sequence = (SELECT sequence FROM evidence WHERE evidence_id = ?)`,
  )
  const standing = db.prepare<[string], Standing>(
    `SELECT sequence, ciphertext_sha256 AS sha256, delivered_at AS deliveredAt,
      EXISTS (SELECT 1 FROM held WHERE held.sequence = evidence.sequence) AS held
     FROM evidence WHERE evidence_id = ?`,
  )
  const buried = db.prepare<[string], { sha256: string }>(
    'SELECT ciphertext_sha256 AS sha256 FROM tombstone WHERE evidence_id = ?',
  )
  const markDelivered = db.prepare<[number, string, number]>(
    'UPDATE evidence SET delivered_at = ?, receipt_key_id = ? WHERE sequence = ?',
  )
  const leave = db.prepare<[number]>('DELETE FROM outbox WHERE sequence = ?')

  function locate(evidenceId: string): Located {
    const row = query(() => located.get(evidenceId))
    if (!row) throw unknown(evidenceId)
    return row
  }

  function settleStored(
    { evidenceId, ciphertextSha256, status, keyId }: Receipt,
    at: EpochMs,
    deleteEvidence?: DeleteEvidence,
  ): Settlement {
    const evidence = standing.get(evidenceId)
    const known = evidence ?? buried.get(evidenceId)
    if (!known) throw unknown(evidenceId)
    if (known.sha256 !== ciphertextSha256) {
      throw new RoadveilError('ERR_RECEIPT_MISMATCH', `the receipt names another ciphertext of ${evidenceId}`)
    }
    if (!evidence) return 'already'
    const { sequence } = evidence
    if (evidence.deliveredAt !== null) {
      // The city had asked for it again.
      leave.run(sequence)
      return 'held'
    }
    audit.append('evidence-delivered', { evidenceId, sequence, status, keyId }, at)
    if (evidence.held === 0 && deleteEvidence) {
      deleteEvidence({ sequence, evidenceId, deliveredAt: at, receiptKeyId: keyId }, at)
      return 'deleted'
    }
    markDelivered.run(at, keyId, sequence)
    leave.run(sequence)
    return 'held'
  }

  /** Where its bytes cannot be deleted because they are damaged, the city's word must not be lost with them. */
  function settleOrMark(receipt: Receipt, at: EpochMs): Settlement {
    try {
      return deletion.transact((deleteEvidence) => settleStored(receipt, at, deleteEvidence))
    } catch (error) {
      if (isRoadveilError(error, 'ERR_STORE_CORRUPT')) transact(db, () => settleStored(receipt, at))
      throw error
    }
  }

  return {
    inOrder: (limit) => query(() => inOrder.all(limit)),
    setAside: (now, limit, but = []) => query(() => setAside.all({ now, limit, but: JSON.stringify(but) })),

    manifest(evidenceId) {
      const row = locate(evidenceId)
      const sealed = (): Covered => ({ ...row, bytes: files.readManifest(evidenceId, row) })
      return older.read(row, MANIFEST_INDEX) ?? layer.open(sealed(), MANIFEST_INDEX)
    },

    chunk(evidenceId, index) {
      const row = locate(evidenceId)
      if (index >= row.chunks) throw unknown(evidenceId)
      return (
        older.read(row, index) ??
        layer.open({ ...row, bytes: files.readChunk(evidenceId, index, row) }, index)
      )
    },

    recordAttempt(evidenceId, { at, nextAt, errorCode }) {
      transact(db, () => attempt.run(Math.trunc(at), Math.trunc(nextAt), errorCode, evidenceId))
    },

    backInOrder: (errorCode, but = []) =>
      transact(db, () => backInOrder.run(errorCode, JSON.stringify(but)).changes),

    settle(receipt, at) {
      if (receipt.deviceId !== deviceId) {
        throw new RoadveilError('ERR_RECEIPT_MISMATCH', 'the receipt is for another device')
      }
      if (receipt.status !== 'stored' && receipt.status !== 'duplicate') return 'kept'
      const settlement = settleOrMark(receipt, Math.trunc(at))
      if (settlement === 'deleted') space.checkpoint()
      return settlement
    },
  }
}

function unknown(evidenceId: string): RoadveilError {
  return new RoadveilError('ERR_EVIDENCE_UNKNOWN', `evidence ${evidenceId} is not stored`)
}
