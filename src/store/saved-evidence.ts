import { createHash } from 'node:crypto'
import Database from 'better-sqlite3-multiple-ciphers'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError } from '../errors.ts'
import type { Carved, Row } from './carved.ts'
import { type StoreDatabase, transact } from './database.ts'
import type { EvidenceFiles } from './evidence-files.ts'
import { isReadFailure } from './failure.ts'
import type { InsertRow } from './insert-row.ts'
import { MANIFEST_INDEX, type OuterLayer } from './outer-layer.ts'
import { numberOf, type SavedAuditRow } from './saved-audit.ts'
import { readSpare, SPARE_INDEX } from './spare.ts'

/** Evidence that is not in the new store. */
export interface LostEvidence {
  readonly sequence: number
  readonly evidenceId: string
  /** The key of its day, where the damage left that much. */
  readonly dayKeyId: string | undefined
  /** The city has it: a tombstone is what remains. */
  readonly delivered: boolean
  /** Its row, where that could be read. */
  readonly row: Row | undefined
}

export interface SavedEvidence {
  readonly saved: number
  readonly lost: readonly LostEvidence[]
}

const WHY_BURIED = 'the city confirmed that it stored it; the bytes here were damaged'
const WHY_LOST =
  'lost with a damaged store, although a legal hold may have been on it; the city confirmed that it stored it'

/**
 * Copies every evidence that is whole: all its parts can be read and have the hash that was stored. What shares a damaged page with
 * others is taken from its spare and the audit log.
 */
export function saveEvidence(
  from: Carved,
  to: StoreDatabase,
  {
    insert,
    layer,
    files,
    audit,
    buried,
    at,
  }: {
    readonly insert: InsertRow
    readonly layer: OuterLayer
    /** Of the damaged store, which the new one takes over. */
    readonly files: EvidenceFiles
    readonly audit: readonly SavedAuditRow[]
    /** Sequence numbers of tombstones. */
    readonly buried: ReadonlySet<number>
    readonly at: EpochMs
  },
): SavedEvidence {
  const bySequence = (table: 'evidence' | 'evidence_key' | 'manifest' | 'outbox') =>
    new Map(from.rows(table).map((row) => [numberOf(row['sequence']), row]))
  const [found, keys] = [bySequence('evidence'), bySequence('evidence_key')]
  const [manifests, outbox] = [bySequence('manifest'), bySequence('outbox')]
  const history = historyOf(audit)
  const hasDayKey = to.prepare<[unknown]>('SELECT 1 FROM day_key WHERE day_key_id = ?')
  const lost: LostEvidence[] = []
  let saved = 0

  /** What an earlier version stored in the database, as a whole. */
  function olderParts(row: Row): { readonly manifest: Row; readonly chunks: readonly Buffer[] } | undefined {
    const sequence = numberOf(row['sequence'])
    const manifest = manifests.get(sequence)
    if (!manifest) return undefined
    const count = numberOf(row['chunk_count'])
    const chunks = Array.from({ length: count }, (_, index) => from.chunk(sequence, index) ?? []).flat()
    return chunks.length === count ? { manifest, chunks } : undefined
  }

  /** Whether everything of it can be opened and has the hash that was stored. */
  function isWhole(row: Row, key: Row | undefined, older: ReturnType<typeof olderParts>): boolean {
    const evidenceId = String(row['evidence_id'])
    const size = { bytes: numberOf(row['ciphertext_bytes']), chunks: numberOf(row['chunk_count']) }
    if (!older && !files.isWhole(evidenceId, size)) return false
    const [dayKeyId, wrapped] = [key?.['day_key_id'], key?.['wrapped']]
    const isLayered = typeof dayKeyId === 'string' && Buffer.isBuffer(wrapped)
    const cover = { evidenceId, ...(isLayered ? { dayKeyId, wrapped } : { dayKeyId: null, wrapped: null }) }
    try {
      const hash = createHash('sha256')
      for (let index = 0; index < size.chunks; index++) {
        const bytes = older?.chunks[index]
        hash.update(
          bytes
            ? layer.openOlder({ ...cover, bytes }, index)
            : layer.open({ ...cover, bytes: files.readChunk(evidenceId, index, size) }, index),
        )
      }
      if (!older) layer.open({ ...cover, bytes: files.readManifest(evidenceId, size) }, MANIFEST_INDEX)
      return hash.digest('hex') === row['ciphertext_sha256']
    } catch (error) {
      if (isRoadveilError(error, 'ERR_STORE_CORRUPT')) return false
      // Without the file of its day's key nobody can tell, nor where the disk does not give its own: both may come back.
      if (!isRoadveilError(error, 'ERR_DAY_KEY') && !isReadFailure(error)) throw error
      return true
    }
  }

  function save(row: Row, spare: ReturnType<typeof readSpare>): boolean {
    const sequence = numberOf(row['sequence'])
    const key = keys.get(sequence) ?? spare?.key
    if (spare && !hasDayKey.get(spare.dayKey['day_key_id']))
      transact(to, () => insert('day_key', spare.dayKey))
    const older = olderParts(row)
    if (!isWhole(row, key, older)) return false
    try {
      transact(to, () => {
        insert('evidence', row)
        if (key) insert('evidence_key', key)
        if (older) insert('manifest', older.manifest)
        for (const [index, bytes] of older?.chunks.entries() ?? [])
          insert('chunk', { sequence, chunk_index: index, bytes })
        if (row['delivered_at'] === null)
          insert('outbox', outbox.get(sequence) ?? { sequence, due_at: Math.trunc(at) })
      })
      return true
    } catch (error) {
      // Its day's key is gone, or it stands there twice.
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')) return false
      throw error
    }
  }

  const all = new Set([...found.keys(), ...from.sequences, ...history.committed.keys()])
  for (const sequence of [...all].sort((a, b) => a - b)) {
    if (buried.has(sequence)) continue
    const spare = readSpare(from.chunk(sequence, SPARE_INDEX))
    const known = found.get(sequence) ?? (spare && { ...spare.evidence, ...history.delivered.get(sequence) })
    const evidenceId = known?.['evidence_id'] ?? history.committed.get(sequence)
    // Of chunks of which nothing else is left nobody can say whose they are.
    if (typeof evidenceId !== 'string' || (!found.has(sequence) && history.gone.has(sequence))) continue
    if (known && save(known, spare)) {
      saved++
      continue
    }
    const dayKeyId = (keys.get(sequence) ?? spare?.key)?.['day_key_id']
    lost.push({
      sequence,
      evidenceId,
      delivered: typeof known?.['delivered_at'] === 'number',
      row: known,
      dayKeyId: typeof dayKeyId === 'string' ? dayKeyId : undefined,
    })
  }
  return { saved, lost }
}

/** Leaves a tombstone of what the city has and the damage took. @param held true where a legal hold was on it */
export function buryLost(
  insert: InsertRow,
  lost: readonly LostEvidence[],
  { held, at }: { readonly held: (sequence: number) => boolean; readonly at: EpochMs },
): void {
  for (const { row, delivered, sequence } of lost) {
    const why = held(sequence) ? WHY_LOST : WHY_BURIED
    if (row && delivered) insert('tombstone', { ...row, deleted_at: Math.trunc(at), why })
  }
}

/** What the audit log says about evidence, by its sequence number. */
function historyOf(audit: readonly SavedAuditRow[]): {
  readonly committed: ReadonlyMap<number, string>
  readonly delivered: ReadonlyMap<number, Row>
  readonly gone: ReadonlySet<number>
} {
  const committed = new Map<number, string>()
  const delivered = new Map<number, Row>()
  const gone = new Set<number>()
  for (const { kind, details, at } of audit) {
    const sequence = Number(details['sequence'])
    if (kind === 'evidence-committed') committed.set(sequence, String(details['evidenceId']))
    if (kind === 'evidence-delivered')
      delivered.set(sequence, { delivered_at: at, receipt_key_id: String(details['keyId']) })
    if (kind === 'evidence-deleted' || kind === 'evidence-lost') gone.add(sequence)
  }
  return { committed, delivered, gone }
}
