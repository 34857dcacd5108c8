import type { DiscardedEvidence } from '../domain/evidence.ts'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { MAX_CHUNK_BYTES } from '../protocol/limits.ts'
import type { Audit } from './audit.ts'
import { query, shortenLog, type StoreDatabase, transact } from './database.ts'
import type { EvidenceFiles } from './evidence-files.ts'
import { type OuterLayer, sealedPieces } from './outer-layer.ts'
import type { Space } from './space.ts'

/** Sealed evidence as the store takes it; what is in it is not the store's business. */
export interface SealedParts {
  readonly evidenceId: string
  /** The signed manifest. */
  readonly manifest: Uint8Array
  /** Lower-case hex. */
  readonly ciphertextSha256: string
  /** The ciphertext in pieces of 98,304 bytes, the last one of 1-98,304. */
  readonly chunks: readonly Uint8Array[]
}

export interface EvidenceShelf {
  /**
   * Stores evidence: first its file, then its rows, those of outbox and audit log among them, in one transaction; on the disk when
   * this returns. Storing the same again changes nothing.
   *
   * Throws ERR_STORE_FULL, ERR_STORE_IO, ERR_EVIDENCE_CONFLICT when another ciphertext has this id.
   */
  commit(
    sealed: SealedParts,
    about: {
      readonly camera: string
      readonly ruleId: string
      readonly judgedAt: EpochMs
      /** Now. */
      readonly at: EpochMs
    },
  ): 'stored' | 'already'
  /**
   * True when evidence with this id is or was stored. To be asked before sealing: sealing the same evidence twice gives two
   * different ciphertexts.
   */
  has(evidenceId: string): boolean
  /** Records that a violation left no evidence, and why. Recording the same again changes nothing: vision may not have heard. */
  recordDiscarded(discarded: DiscardedEvidence, at: EpochMs): void
}

export function evidenceShelf(
  db: StoreDatabase,
  {
    audit,
    space,
    layer,
    files,
    marked,
    afterwards,
  }: {
    audit: Audit
    space: Space
    layer: OuterLayer
    files: EvidenceFiles
    /** Called when something was stored: notes how far the store has come. */
    marked: () => void
    /** Does something as soon as the caller has had its turn. */
    afterwards: (work: () => void) => void
  },
): EvidenceShelf {
  const known = db.prepare<[string, string], { sha256: string }>(
    `SELECT ciphertext_sha256 AS sha256 FROM evidence WHERE evidence_id = ?
     UNION ALL SELECT ciphertext_sha256 FROM tombstone WHERE evidence_id = ?`,
  )
  const discardedBefore = db.prepare<[string]>(
    `SELECT 1 FROM audit WHERE kind = 'evidence-discarded' AND json_extract(details, '$.evidenceId') = ?`,
  )
  const nextSequence = db.prepare<[], { sequence: number }>(
    'UPDATE meta SET last_sequence = last_sequence + 1 RETURNING last_sequence AS sequence',
  )
  const insertEvidence = db.prepare<[number, string, string, string, number, number, string, number, number]>(
    `INSERT INTO evidence (sequence, evidence_id, camera, rule_id, judged_at, committed_at, ciphertext_sha256,
      ciphertext_bytes, chunk_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const insertOutbox = db.prepare<[number, number]>('INSERT INTO outbox (sequence, due_at) VALUES (?, ?)')

  const has: EvidenceShelf['has'] = (evidenceId) =>
    query(() => known.get(evidenceId, evidenceId)) !== undefined

  return {
    commit({ evidenceId, manifest, ciphertextSha256, chunks }, about) {
      const at = Math.trunc(about.at)
      using cover = layer.begin(evidenceId, at)
      // What the one before has left to be done, if it came just now.
      shortenLog(db)
      const store = (): 'stored' | 'already' => {
        const before = known.get(evidenceId, evidenceId)
        if (before?.sha256 === ciphertextSha256) return 'already'
        if (before)
          throw new RoadveilError('ERR_EVIDENCE_CONFLICT', `evidence ${evidenceId} is stored already`)

        if (chunks.slice(0, -1).some(({ length }) => length !== MAX_CHUNK_BYTES))
          throw new TypeError('chunks are of one size')
        const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        space.demand(bytes + manifest.length)
        const sequence = nextSequence.get()?.sequence
        if (sequence === undefined)
          throw new RoadveilError('ERR_STORE_CORRUPT', 'the store has lost its counters')
        insertEvidence.run(
          sequence,
          evidenceId,
          about.camera,
          about.ruleId,
          Math.trunc(about.judgedAt),
          at,
          ciphertextSha256,
          bytes,
          chunks.length,
        )
        layer.keep(sequence, cover)
        insertOutbox.run(sequence, at)
        audit.append('evidence-committed', { evidenceId, sequence, ciphertextSha256, bytes }, at)
        // When nothing but the disk can refuse the rows any more.
        files.write(evidenceId, sealedPieces(cover, { chunks, manifest }))
        return 'stored'
      }
      try {
        // Once the log is synced, the evidence is on the disk: whoever waits for that shall not wait for twice as long.
        const outcome = transact(db, store, afterwards)
        if (outcome === 'stored') marked()
        return outcome
      } catch (error) {
        // Without room the rows are certainly not there. After any other failure of the disk nobody knows: the next start looks.
        if (isRoadveilError(error, 'ERR_STORE_FULL') && !has(evidenceId)) files.remove(evidenceId)
        throw error
      }
    },

    has,

    recordDiscarded({ evidenceId, camera, ruleId, judgedAt, code }, at) {
      transact(db, () => {
        if (discardedBefore.get(evidenceId)) return
        audit.append('evidence-discarded', { evidenceId, camera, ruleId, judgedAt, code }, at)
      })
    },
  }
}
