import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError } from '../errors.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { EvidenceFiles } from './evidence-files.ts'
import { type Cover, type Covered, MANIFEST_INDEX, type OuterLayer, sealedPieces } from './outer-layer.ts'
import type { Space } from './space.ts'

/** Evidence that an earlier version stored in the database itself, some of it without the outer layer. */
export interface OlderEvidence {
  /** The chunk with this index, or the manifest; undefined where it lies in the file of its evidence. Throws ERR_DAY_KEY. */
  read(evidence: Whose, index: number): Uint8Array | undefined
  /**
   * Moves one evidence into a file, under a new key of the day of `at`. Returns false when there is nothing to move, or nothing that
   * can still be opened.
   *
   * Throws ERR_STORE_FULL, ERR_STORE_IO, ERR_STORE_CORRUPT; it stays where it is then.
   */
  moveOne(at: EpochMs): boolean
}

interface Whose extends Omit<Covered, 'bytes'> {
  readonly sequence: number
}

interface Next extends Whose {
  readonly size: number
}

export function olderEvidenceOf(
  db: StoreDatabase,
  {
    layer,
    files,
    space,
  }: { readonly layer: OuterLayer; readonly files: EvidenceFiles; readonly space: Space },
): OlderEvidence {
  const chunk = db.prepare<[number, number], { bytes: Buffer }>(
    'SELECT bytes FROM chunk WHERE sequence = ? AND chunk_index = ?',
  )
  const manifest = db.prepare<[number], { bytes: Buffer }>(
    'SELECT envelope AS bytes FROM manifest WHERE sequence = ?',
  )
  const next = db.prepare<[number], Next>(
    `SELECT sequence, evidence_id AS evidenceId, ciphertext_bytes AS size, day_key_id AS dayKeyId, wrapped
     FROM manifest JOIN evidence USING (sequence) LEFT JOIN evidence_key USING (sequence)
     WHERE sequence > ? ORDER BY sequence LIMIT 1`,
  )
  const removeChunks = db.prepare<[number]>('DELETE FROM chunk WHERE sequence = ?')
  const removeManifest = db.prepare<[number]>('DELETE FROM manifest WHERE sequence = ?')
  // The key of its day is gone: what was stored until then stays as it is.
  let passedOver = 0

  const read: OlderEvidence['read'] = (evidence, index) => {
    const { sequence } = evidence
    const row = query(() => (index === MANIFEST_INDEX ? manifest.get(sequence) : chunk.get(sequence, index)))
    return row && layer.openOlder({ ...evidence, bytes: row.bytes }, index)
  }

  function* chunksOf(evidence: Whose): Generator<Uint8Array> {
    for (let index = 0; ; index++) {
      const bytes = read(evidence, index)
      if (!bytes) return
      yield bytes
    }
  }

  function move({ size, ...evidence }: Next, cover: Cover): void {
    const { sequence, evidenceId } = evidence
    // Once in its file, and once in the log, where deleting overwrites it.
    space.demand(2 * size)
    const envelope = read(evidence, MANIFEST_INDEX) ?? Buffer.alloc(0)
    files.write(evidenceId, sealedPieces(cover, { chunks: chunksOf(evidence), manifest: envelope }))
    removeChunks.run(sequence)
    removeManifest.run(sequence)
    layer.keep(sequence, cover)
  }

  return {
    read,
    moveOne(at) {
      for (;;) {
        const evidence = query(() => next.get(passedOver))
        if (!evidence) return false
        using cover = layer.begin(evidence.evidenceId, at)
        try {
          transact(db, () => move(evidence, cover))
          return true
        } catch (error) {
          if (isRoadveilError(error, 'ERR_STORE_FULL')) files.remove(evidence.evidenceId)
          if (!isRoadveilError(error, 'ERR_DAY_KEY')) throw error
          passedOver = evidence.sequence
        }
      }
    },
  }
}
