import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { query, type StoreDatabase } from './database.ts'
import { type EvidenceFiles, fileNameOf } from './evidence-files.ts'

/** Compares the files of the evidence with the rows that name them. */
export interface Strays {
  /** Throws ERR_STORE_CORRUPT where evidence has no file, or one of another size; that of earlier versions is in the database. */
  findMissing(): void
  /** Removes files of evidence that was deleted: something has come in between. */
  removeDeleted(): void
  /**
   * Removes files that nothing names and that were written before `before`: evidence that was never acknowledged, whose key was never
   * stored, or that only another copy of the database knows, which a person may still put back.
   */
  removeOlder(before: EpochMs): void
}

interface Row {
  evidenceId: string
  bytes: number
  chunks: number
}

export function straysOf(db: StoreDatabase, files: EvidenceFiles): Strays {
  const all = db.prepare<[], Row>(
    `SELECT evidence_id AS evidenceId, ciphertext_bytes AS bytes, chunk_count AS chunks FROM evidence
     WHERE sequence NOT IN (SELECT sequence FROM manifest)`,
  )
  const ids = db.prepare<[], string>('SELECT evidence_id FROM evidence').pluck()
  const buried = db.prepare<[], string>('SELECT evidence_id FROM tombstone').pluck()
  const namesOf = (rows: typeof ids): ReadonlySet<string> => new Set(query(() => rows.all()).map(fileNameOf))
  const unnamed = (): ReturnType<EvidenceFiles['list']> => {
    const named = namesOf(ids)
    return files.list().filter(({ name }) => !named.has(name))
  }

  return {
    findMissing() {
      for (const { evidenceId, ...size } of query(() => all.all()))
        if (!files.isWhole(evidenceId, size))
          throw new RoadveilError('ERR_STORE_CORRUPT', `the file of evidence ${evidenceId} is not whole`)
    },
    removeDeleted() {
      const strays = unnamed()
      const deleted = strays.length > 0 ? namesOf(buried) : new Set()
      for (const { name } of strays) if (deleted.has(name)) files.removeNamed(name)
    },
    removeOlder(before) {
      for (const { name, writtenAt } of unnamed()) if (writtenAt < before) files.removeNamed(name)
    },
  }
}
