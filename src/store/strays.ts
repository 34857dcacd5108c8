import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { query, type StoreDatabase } from './database.ts'
import { type EvidenceFiles, fileNameOf } from './evidence-files.ts'

/** Compares the files of the evidence with the rows that name them. */
export interface Strays {
  /** Throws ERR_STORE_EVIDENCE where the folder itself is missing, ERR_STORE_CORRUPT where evidence has no file, or one of another size; that of earlier versions is in the database. */
  findMissing(): void
  /** Whether there are files that nothing names. */
  areThere(): boolean
  /** Removes files of evidence that was deleted: something has come in between. What cannot be removed is left to the next time. */
  removeDeleted(): void
  /** Removes what nothing names and was written after `after`: it was never acknowledged, and its key was never stored. */
  removeNewer(after: EpochMs): void
  /** The same of what was written before `before`: until then another copy of the database that knows it may be put back. */
  removeOlder(before: EpochMs): void
  /** Counts what nothing names as written just now: from now on somebody may look for it. */
  keepFrom(at: EpochMs): void
}

interface Row {
  evidenceId: string
  bytes: number
  chunks: number
}

export function straysOf(db: StoreDatabase, files: EvidenceFiles, logger?: Logger): Strays {
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

  /** One that cannot be removed must not keep the store from being used. */
  const remove = (strays: ReturnType<EvidenceFiles['list']>): void => {
    for (const { name } of strays)
      try {
        files.removeNamed(name)
      } catch (error) {
        logger?.warn('a file that is not needed any more could not be removed', { error })
      }
  }

  return {
    findMissing() {
      const rows = query(() => all.all())
      if (rows.length > 0 && !files.exists()) {
        const message = `the folder with the files of ${rows.length} evidence is not there`
        throw new RoadveilError('ERR_STORE_EVIDENCE', message)
      }
      for (const { evidenceId, ...size } of rows)
        if (!files.isWhole(evidenceId, size))
          throw new RoadveilError('ERR_STORE_CORRUPT', `the file of evidence ${evidenceId} is not whole`)
    },
    areThere: () => unnamed().length > 0,
    removeDeleted() {
      const strays = unnamed()
      const deleted = strays.length > 0 ? namesOf(buried) : new Set()
      remove(strays.filter(({ name }) => deleted.has(name)))
    },
    removeNewer: (after) => remove(unnamed().filter(({ writtenAt }) => writtenAt > after)),
    removeOlder: (before) => remove(unnamed().filter(({ writtenAt }) => writtenAt < before)),
    keepFrom(at) {
      for (const { name } of unnamed()) files.touch(name, at)
    },
  }
}
