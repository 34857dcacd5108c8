import { z } from 'zod'
import { clockStateSchema, slugSchema } from '../domain/evidence.ts'
import { purgeCertificateSchema } from '../sealing/purge-certificate.ts'
import { visionStatsSchema } from './messages.ts'

/** What can be asked of a running vault, and what it answers. Nothing here holds plate text. */

const instant = z.iso.datetime({ precision: 3 })
const count = z.int().nonnegative()
const evidenceId = z.uuid()
/** Words of a person, for the audit log. */
const words = z.string().trim().min(1).max(500)
const name = z.string().trim().min(1).max(100)

const criteriaSchema = z.strictObject({
  camera: slugSchema.optional(),
  rule: slugSchema.optional(),
  /** Judged from the first moment on, and before the second. */
  timeSpan: z.tuple([instant, instant]).optional(),
})

/** About one evidence, or about a time span. */
const subjectSchema = z.strictObject({
  by: name,
  evidenceId: evidenceId.optional(),
  /** Judged from the first moment on, and before the second. */
  timeSpan: z.tuple([instant, instant]).optional(),
  camera: slugSchema.optional(),
})
export type SubjectRequest = z.infer<typeof subjectSchema>

export const requestSchema = z.discriminatedUnion('verb', [
  z.strictObject({ verb: z.literal('status') }),
  z.strictObject({ verb: z.literal('evidence-list') }),
  z.strictObject({
    verb: z.literal('evidence-hold'),
    evidenceId,
    reason: words,
    by: name,
    caseNumber: name.optional(),
  }),
  z.strictObject({
    verb: z.literal('evidence-release'),
    evidenceId,
    reason: words,
    by: name,
    caseNumber: name.optional(),
  }),
  z.strictObject({
    verb: z.literal('case-hold'),
    caseNumber: name,
    reason: words,
    by: name,
    /** What fits all that is said; nothing said is refused. */
    criteria: criteriaSchema.refine((criteria) => Object.keys(criteria).length > 0),
  }),
  z.strictObject({ verb: z.literal('case-release'), caseNumber: name, reason: words, by: name }),
  z.strictObject({ verb: z.literal('holds-list') }),
  z.strictObject({
    verb: z.literal('audit-verify'),
    /** A signed checkpoint that the city stored, in base64. */
    checkpoint: z.base64().max(16_384).optional(),
  }),
  subjectSchema.extend({ verb: z.literal('subject-export') }),
  subjectSchema.extend({ verb: z.literal('subject-erase') }),
  z.strictObject({
    verb: z.literal('purge-certificates'),
    /** The number of the last one that is known; 0 begins. */
    after: count,
  }),
])
export type ControlRequest = z.infer<typeof requestSchema>

const warningSchema = z.strictObject({ code: z.string(), message: z.string(), hint: z.string() })

const statusSchema = z.strictObject({
  site: slugSchema,
  device: slugSchema,
  processes: z.strictObject({
    vault: z.strictObject({ version: z.string(), pid: count, startedAt: instant }),
    /** null while it is not connected. */
    vision: z.strictObject({ version: z.string(), connectedAt: instant }).nullable(),
  }),
  /** As vision last said; empty and null while it is not connected. */
  cameras: visionStatsSchema.shape.cameras,
  counts: visionStatsSchema.shape.counts.nullable(),
  /** How the networks do on the built-in clip. */
  selftest: visionStatsSchema.shape.selftest.nullable(),
  store: z.strictObject({
    /** Sealed evidence without a receipt, and when the oldest of it was committed. */
    outbox: count,
    oldestAt: instant.nullable(),
    held: count,
    tombstones: count,
    bytes: count,
    maxBytes: count,
    /** Damaged stores that were set aside, oldest first. */
    setAside: z.array(
      z.strictObject({
        /** Of its folder in `NAME.damaged`. */
        name: z.string(),
        at: instant,
        bytes: count,
        saved: count,
        /** Ids of the evidence that could not be saved. */
        lost: z.array(z.string()).readonly(),
        /** Evidence that may have been there, and that nothing names any more, at most. */
        unnamed: count,
        held: z.boolean(),
      }),
    ),
  }),
  delivery: z.strictObject({
    connected: z.boolean(),
    /** Since the process started. */
    delivered: count,
    lastReceiptAt: instant.nullable(),
    /** Evidence that could not be delivered for a reason of its own: it waits for another try, and the others go on. */
    setAside: count,
    /** Receipts that were not believed, since the process started. */
    refusedReceipts: count,
    /** Why the last try failed. */
    code: z.string().nullable(),
  }),
  /** Of the city, since the process started. */
  commands: z.strictObject({ done: count, refused: count }),
  retention: z.strictObject({ lastRunAt: instant.nullable(), nextRunAt: instant.nullable() }),
  clock: clockStateSchema,
  warnings: z.array(warningSchema),
})
export type VaultStatus = z.infer<typeof statusSchema>

const holdSchema = z.strictObject({
  reason: z.string(),
  by: z.string(),
  caseNumber: z.string().nullable(),
  heldAt: instant,
})

const listedHoldSchema = holdSchema.extend({
  /** null where it is on criteria. */
  evidenceId: evidenceId.nullable(),
  camera: z.string().nullable(),
  rule: z.string().nullable(),
  from: instant.nullable(),
  until: instant.nullable(),
})
export type HoldRow = z.infer<typeof listedHoldSchema>

const evidenceRowSchema = z.strictObject({
  evidenceId,
  camera: slugSchema,
  judgedAt: instant,
  committedAt: instant,
  bytes: count,
  /** `outbox`: without a receipt. `held`: delivered, kept by a legal hold or, after its release, until the next purge. */
  state: z.enum(['outbox', 'held']),
  attempts: count,
  /** Why the last attempt failed. */
  code: z.string().nullable(),
  /** The oldest first. */
  holds: z.array(holdSchema),
})
export type EvidenceRow = z.infer<typeof evidenceRowSchema>

const auditReportSchema = z.strictObject({
  /** Names the log: another one has another id. */
  logId: z.string(),
  rows: count,
  /** Rows before it were pruned by retention. */
  firstSequence: count,
  lastSequence: count,
  /** Signed checkpoints that the rows were compared with. */
  checkpoints: count,
  /** Rows that damage to the store has taken, as the log itself says. */
  lost: count,
  faults: z
    .array(
      z.strictObject({
        sequence: count,
        kind: z.enum(['changed', 'missing', 'added', 'cut', 'forked', 'rolled-back', 'replaced', 'unsigned']),
        message: z.string(),
      }),
    )
    .readonly(),
})

const certificatesSchema = z.strictObject({
  /** One page: empty behind the last one. */
  certificates: z
    .array(
      z.strictObject({
        number: count,
        /** null where it is not one that this box signed. */
        certificate: purgeCertificateSchema.nullable(),
        /** As it was signed: DSSE, base64. */
        envelope: z.base64(),
      }),
    )
    .readonly(),
})

const copiedSchema = z.strictObject({
  evidenceId,
  camera: z.string(),
  judgedAt: instant,
  committedAt: instant,
  bytes: count,
  /** Of the sealed evidence. */
  sha256: z.string(),
  /** When the city said that it stored it; null while it has not. */
  cityConfirmedAt: instant.nullable(),
})

const subjectExportSchema = z.strictObject({
  schema: z.literal('roadveil.subject-export.v1'),
  site: slugSchema,
  device: slugSchema,
  exportedAt: instant,
  /** Why the box may keep such things at all: `site.legalBasis`. */
  basis: z.string(),
  evidence: z.array(copiedSchema.extend({ rule: z.string(), held: z.boolean(), ends: z.string() })),
  tombstones: z.array(copiedSchema.extend({ deletedAt: instant, why: z.string(), endsAt: instant })),
  audit: z.array(
    z.strictObject({
      sequence: count,
      at: instant,
      kind: z.string(),
      details: z.record(z.string(), z.union([z.string(), z.number()])),
      endsAt: instant,
    }),
  ),
})

const subjectErasureSchema = z.strictObject({
  /** Ids of the evidence that was erased. */
  evidence: z.array(evidenceId).readonly(),
  /** Ids of the evidence whose tombstones were erased. */
  tombstones: z.array(evidenceId).readonly(),
  kept: z
    .array(z.strictObject({ evidenceId, because: z.enum(['held', 'unconfirmed', 'recent']) }))
    .readonly(),
  /** Rows of the audit log about it, which stay. */
  auditRows: count,
})

export const answerSchemas = {
  status: statusSchema,
  'evidence-list': z.strictObject({ evidence: z.array(evidenceRowSchema) }),
  'evidence-hold': z.strictObject({ evidenceId }),
  'evidence-release': z.strictObject({ evidenceId }),
  /** How much evidence it is on now. */
  'case-hold': z.strictObject({ caseNumber: z.string(), evidence: count }),
  'case-release': z.strictObject({ caseNumber: z.string(), holds: count }),
  'holds-list': z.strictObject({ holds: z.array(listedHoldSchema) }),
  'audit-verify': auditReportSchema,
  'subject-export': subjectExportSchema,
  'subject-erase': subjectErasureSchema,
  'purge-certificates': certificatesSchema,
} as const satisfies Record<ControlRequest['verb'], z.ZodType>

/** The answer to each verb. */
export type ControlAnswers = { readonly [V in ControlRequest['verb']]: z.infer<(typeof answerSchemas)[V]> }

export const replySchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), answer: z.unknown() }),
  z.strictObject({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(1000) }),
])
export type ControlReply = z.infer<typeof replySchema>
