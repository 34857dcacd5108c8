import { type EpochMs, iso } from '../domain/frame.ts'
import type { Deleted, Deletion } from '../domain/purge.ts'
import { RoadveilError } from '../errors.ts'
import type { Audit, AuditDetails, AuditKind } from './audit.ts'
import type { Certificates, SignAccount } from './certificate.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { EvidenceDeletion } from './deletion.ts'
import type { Expiry } from './expiry.ts'
import type { Space } from './space.ts'

/** What a request is about: one evidence, or what was judged from the first moment on and before the second. */
export interface SubjectScope {
  readonly evidenceId?: string | undefined
  readonly from?: EpochMs | undefined
  readonly until?: EpochMs | undefined
  readonly camera?: string | undefined
}

/** Evidence that is stored. What is in it only the city can see. */
export interface SubjectEvidence {
  /** Rises by one with each evidence of this box. */
  readonly sequence: number
  readonly evidenceId: string
  readonly camera: string
  readonly ruleId: string
  readonly judgedAt: EpochMs
  readonly committedAt: EpochMs
  readonly ciphertextBytes: number
  readonly ciphertextSha256: string
  /** null while the city has not confirmed that it stored it. */
  readonly deliveredAt: EpochMs | null
  readonly receiptKeyId: string | null
  readonly held: boolean
}

/** What remains of evidence that was deleted. */
export interface SubjectTombstone extends Omit<SubjectEvidence, 'ruleId' | 'held'> {
  readonly deletedAt: EpochMs
  readonly why: string
}

/** Everything that the store has about a scope. */
export interface SubjectRecords {
  readonly evidence: readonly SubjectEvidence[]
  readonly tombstones: readonly SubjectTombstone[]
  /** Oldest first. */
  readonly audit: readonly {
    readonly sequence: number
    readonly at: EpochMs
    readonly kind: AuditKind
    readonly details: AuditDetails
  }[]
}

/** Why something may not be erased. */
export type KeptBecause = 'held' | 'unconfirmed' | 'recent'

/** What became of an erasure. */
export interface SubjectErasure {
  /** Evidence ids. */
  readonly evidence: readonly string[]
  /** Evidence ids of the tombstones. */
  readonly tombstones: readonly string[]
  readonly kept: readonly { readonly evidenceId: string; readonly because: KeptBecause }[]
  /** Rows of the audit log about the scope: they prove what was done, and go with their own retention. */
  readonly auditRows: number
}

/** Requests of people about what the box holds about them. Each leaves a record in the audit log. */
export interface Subjects {
  /** Throws ERR_SUBJECT_SCOPE when it names neither evidence nor a time span, or is about more than one person can be. */
  export(scope: SubjectScope, by: string, at: EpochMs): SubjectRecords
  /**
   * Deletes what may be deleted: evidence that the city has and no hold keeps, and tombstones. A certificate says how much. What was
   * deleted before goes into a certificate of its own.
   *
   * Throws as `export` does; interrupted, what was deleted stays deleted, and is to be asked for again.
   */
  erase(
    scope: SubjectScope,
    request: {
      readonly by: string
      readonly at: EpochMs
      readonly clockPlausible: boolean
      readonly sign: SignAccount
      /** Records more inside the transaction that ends the erasure. */
      readonly conclude?: (erasure: SubjectErasure) => void
    },
  ): SubjectErasure
}

interface EvidenceRow extends Omit<SubjectEvidence, 'held'> {
  held: number
}

interface Parameters {
  evidenceId: string | null
  from: number | null
  until: number | null
  camera: string | null
}

/** A person passes some cameras; an answer has to fit on the control socket. */
const MAX_RECORDS = 2000
/** Until then vision may send the evidence once more, and only its tombstone knows that it was stored. */
const RESEND_MS = 3_600_000

export function subjectsOf(
  db: StoreDatabase,
  {
    audit,
    space,
    certificates,
    expiry,
    deletion,
    marked,
  }: {
    audit: Audit
    space: Space
    certificates: Certificates
    expiry: Expiry
    deletion: EvidenceDeletion
    /** Called when something was erased: notes how far the store has come. */
    marked: () => void
  },
): Subjects {
  const inScope = `(:evidenceId IS NULL OR evidence_id = :evidenceId) AND (:camera IS NULL OR camera = :camera)
    AND (:from IS NULL OR judged_at >= :from) AND (:until IS NULL OR judged_at < :until)`
  const columns = `sequence, evidence_id AS evidenceId, camera, judged_at AS judgedAt, committed_at AS committedAt,
    ciphertext_bytes AS ciphertextBytes, ciphertext_sha256 AS ciphertextSha256, delivered_at AS deliveredAt,
    receipt_key_id AS receiptKeyId`
  const evidence = db.prepare<Parameters, EvidenceRow>(
    `SELECT ${columns}, rule_id AS ruleId, EXISTS (SELECT 1 FROM held WHERE held.sequence = evidence.sequence) AS held
     FROM evidence WHERE ${inScope} ORDER BY sequence LIMIT ${MAX_RECORDS + 1}`,
  )
  const tombstones = db.prepare<Parameters, SubjectTombstone>(
    `SELECT ${columns}, deleted_at AS deletedAt, why FROM tombstone WHERE ${inScope}
     ORDER BY sequence LIMIT ${MAX_RECORDS + 1}`,
  )
  const forget = db.prepare<[number]>('DELETE FROM tombstone WHERE sequence = ?')
  const rows = db.prepare<
    { ids: string; from: string | null; until: string | null; camera: string | null },
    { sequence: number; at: number; kind: AuditKind; details: string }
  >(
    `SELECT sequence, at, kind, details FROM audit
     WHERE json_extract(details, '$.evidenceId') IN (SELECT value FROM json_each(:ids))
      OR (kind = 'evidence-discarded' AND :from IS NOT NULL AND json_extract(details, '$.judgedAt') >= :from
        AND json_extract(details, '$.judgedAt') < :until
        AND (:camera IS NULL OR json_extract(details, '$.camera') = :camera))
     ORDER BY sequence LIMIT ${5 * MAX_RECORDS}`,
  )

  function find(scope: SubjectScope) {
    const { evidenceId = null, from = null, until = null, camera = null } = scope
    if (evidenceId === null && (from === null || until === null)) {
      throw new RoadveilError('ERR_SUBJECT_SCOPE', 'the request names neither evidence nor a time span')
    }
    const parameters = { evidenceId, from, until, camera }
    const found = { evidence: evidence.all(parameters), tombstones: tombstones.all(parameters) }
    const ids = [...found.evidence, ...found.tombstones].map((each) => each.evidenceId)
    if (ids.length > MAX_RECORDS) {
      throw new RoadveilError('ERR_SUBJECT_SCOPE', `the request is about more than ${MAX_RECORDS} evidence`)
    }
    // Also an id of which only the audit log knows: a violation that left no evidence.
    const asked = JSON.stringify(evidenceId === null ? ids : [...ids, evidenceId])
    const span = { from: from === null ? null : iso(from), until: until === null ? null : iso(until) }
    const about = rows.all({ ids: asked, ...span, camera })
    return { ...found, audit: about }
  }

  return {
    export(scope, by, at) {
      return transact(db, () => {
        const found = find(scope)
        audit.append('subject-exported', { ...scopeOf(scope), by }, at)
        return {
          evidence: found.evidence.map(({ held, ...each }) => ({ ...each, held: held !== 0 })),
          tombstones: found.tombstones,
          audit: found.audit.map((row) => ({ ...row, details: JSON.parse(row.details) as AuditDetails })),
        }
      })
    },

    erase(scope, { by, at, clockPlausible, sign, conclude }) {
      const found = query(() => find(scope))
      transact(db, () => {
        audit.append('subject-erasure-asked', { ...scopeOf(scope), by }, at)
        certificates.issue({ occasion: 'purge', clockPlausible, deletions: [] }, sign, at)
      })

      const kept: { evidenceId: string; because: KeptBecause }[] = []
      const erased: string[] = []
      for (const { sequence, evidenceId, deliveredAt, receiptKeyId, held } of found.evidence) {
        if (held !== 0) kept.push({ evidenceId, because: 'held' })
        else if (deliveredAt === null || receiptKeyId === null)
          kept.push({ evidenceId, because: 'unconfirmed' })
        else {
          deletion.transact((deleteEvidence) =>
            deleteEvidence({ sequence, evidenceId, deliveredAt, receiptKeyId }, Math.trunc(at)),
          )
          erased.push(evidenceId)
        }
      }
      const keys = expiry.destroyDayKeys(at)

      const buried = query(() => find(scope).tombstones)
      const isRecent = ({ committedAt }: SubjectTombstone): boolean => at - committedAt < RESEND_MS
      for (const { evidenceId } of buried.filter(isRecent)) kept.push({ evidenceId, because: 'recent' })
      const old = buried.filter((tombstone) => !isRecent(tombstone))
      const erasure = {
        evidence: erased,
        tombstones: old.map(({ evidenceId }) => evidenceId),
        kept,
        auditRows: found.audit.length,
      }
      space.transactDeleting(() => {
        const counts = { evidence: erased.length, tombstones: old.length, kept: kept.length }
        audit.append('subject-erased', { ...scopeOf(scope), ...counts, by }, at)
        const times = old.map(({ judgedAt }) => judgedAt)
        const span = { count: old.length, from: Math.min(...times), to: Math.max(...times) }
        const deletions = [...deletionOf('tombstones', span), ...deletionOf('day-keys', keys)]
        // While the tombstones still say from when the evidence was.
        certificates.issue({ occasion: 'subject-request', clockPlausible, deletions }, sign, at)
        for (const { sequence } of old) forget.run(sequence)
        conclude?.(erasure)
      })
      marked()
      space.checkpoint()
      return erasure
    },
  }
}

function deletionOf(kind: Deletion['kind'], { count, from, to }: Deleted): readonly Deletion[] {
  return count === 0 || from === null || to === null ? [] : [{ kind, count, from: iso(from), to: iso(to) }]
}

/** As the audit log says it. */
function scopeOf({ evidenceId, from, until, camera }: SubjectScope): Record<string, string> {
  return {
    ...(evidenceId !== undefined && { evidenceId }),
    ...(from !== undefined && { from: iso(from) }),
    ...(until !== undefined && { until: iso(until) }),
    ...(camera !== undefined && { camera }),
  }
}
