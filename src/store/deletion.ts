import type { EpochMs } from '../domain/frame.ts'
import type { Audit } from './audit.ts'
import type { StoreDatabase } from './database.ts'
import type { EvidenceFiles } from './evidence-files.ts'
import type { Space } from './space.ts'

/** Deletes one delivered evidence. */
export type DeleteEvidence = (
  evidence: {
    readonly sequence: number
    readonly evidenceId: string
    readonly deliveredAt: EpochMs
    readonly receiptKeyId: string
  },
  at: EpochMs,
) => void

/**
 * The one way out of the store: rows gone, a tombstone and an audit row left, and then its file. A hold on it makes the database
 * refuse.
 */
export interface EvidenceDeletion {
  /** Runs a deleting transaction, which may be begun again where room has to be made, and then removes the files of what it deleted. */
  transact<T>(work: (deleteEvidence: DeleteEvidence) => T): T
}

export function evidenceDeletion(
  db: StoreDatabase,
  { audit, space, files }: { readonly audit: Audit; readonly space: Space; readonly files: EvidenceFiles },
): EvidenceDeletion {
  const bury = db.prepare<[number, string, number, number]>(
    `INSERT INTO tombstone SELECT sequence, evidence_id, camera, ciphertext_sha256, ciphertext_bytes, judged_at, committed_at,
      ?, ?, ?, 'the city confirmed that it stored it' FROM evidence WHERE sequence = ?`,
  )
  const removeChunks = db.prepare<[number]>('DELETE FROM chunk WHERE sequence = ?')
  const remove = db.prepare<[number]>('DELETE FROM evidence WHERE sequence = ?')

  return {
    transact(work) {
      let deleted: string[] = []
      const result = space.transactDeleting(() => {
        deleted = []
        return work(({ sequence, evidenceId, deliveredAt, receiptKeyId }, at) => {
          // First what frees pages: in a full store the tombstone needs them.
          removeChunks.run(sequence)
          bury.run(deliveredAt, receiptKeyId, at, sequence)
          remove.run(sequence)
          audit.append('evidence-deleted', { evidenceId, sequence }, at)
          deleted.push(evidenceId)
        })
      })
      // Interrupted here, the tombstone tells the next start that a file is to be removed.
      for (const evidenceId of deleted) files.remove(evidenceId)
      return result
    },
  }
}
