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
  // One after the other: a backlog of months is not to stand in memory.
  const unnamed = (): Set<string> => {
    const names = new Set(files.names())
    for (const id of names.size > 0 ? ids.iterate() : []) names.delete(fileNameOf(id))
    return names
  }
  const unnamedFrom = (from: EpochMs, until: EpochMs): string[] =>
    [...query(unnamed)].filter((name) => {
      const at = files.writtenAt(name) ?? NaN
      return at > from && at < until
    })

  /** One that cannot be removed must not keep the store from being used. */
  const remove = (names: readonly string[]): void => {
    for (const name of names)
      try {
        files.removeNamed(name)
      } catch (error) {
        logger?.warn('a file that is not needed any more could not be removed', { error })
      }
  }

  function findMissing(): void {
    for (const { evidenceId, ...size } of all.iterate()) {
      if (files.isWhole(evidenceId, size)) continue
      if (!files.exists())
        throw new RoadveilError(
          'ERR_STORE_EVIDENCE',
          'the folder with the files of the evidence is not there',
        )
      throw new RoadveilError('ERR_STORE_CORRUPT', `the file of evidence ${evidenceId} is not whole`)
    }
  }

  return {
    findMissing: () => query(findMissing),
    areThere: () => query(unnamed).size > 0,
    removeDeleted() {
      const strays = query(unnamed)
      if (strays.size === 0) return
      remove(query(() => [...buried.iterate()].map(fileNameOf)).filter((name) => strays.has(name)))
    },
    removeNewer: (after) => remove(unnamedFrom(after, Infinity)),
    removeOlder: (before) => remove(unnamedFrom(-Infinity, before)),
    keepFrom(at) {
      for (const name of query(unnamed)) files.touch(name, at)
    },
  }
}
