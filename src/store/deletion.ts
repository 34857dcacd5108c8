import type { EpochMs } from '../domain/frame.ts'
import type { Audit } from './audit.ts'
import type { StoreDatabase } from './database.ts'

/** Deletes one delivered evidence inside a transaction. */
export type DeleteEvidence = (
  evidence: {
    readonly sequence: number
    readonly evidenceId: string
    readonly deliveredAt: EpochMs
    readonly receiptKeyId: string
  },
  at: EpochMs,
) => void

/** The one way out of the store: rows gone, a tombstone and an audit row left. A hold on it makes the database refuse. */
export function evidenceDeletion(db: StoreDatabase, audit: Audit): DeleteEvidence {
  const bury = db.prepare<[number, string, number, number]>(
    `INSERT INTO tombstone SELECT sequence, evidence_id, camera, ciphertext_sha256, ciphertext_bytes, judged_at, committed_at,
      ?, ?, ?, 'the city confirmed that it stored it' FROM evidence WHERE sequence = ?`,
  )
  const removeChunks = db.prepare<[number]>('DELETE FROM chunk WHERE sequence = ?')
  const remove = db.prepare<[number]>('DELETE FROM evidence WHERE sequence = ?')

  return ({ sequence, evidenceId, deliveredAt, receiptKeyId }, at) => {
    // First what frees pages: in a full store the tombstone needs them.
    removeChunks.run(sequence)
    bury.run(deliveredAt, receiptKeyId, at, sequence)
    remove.run(sequence)
    audit.append('evidence-deleted', { evidenceId, sequence }, at)
  }
}
