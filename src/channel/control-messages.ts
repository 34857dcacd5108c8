import { z } from 'zod'
import { clockStateSchema, slugSchema } from '../domain/evidence.ts'
import { visionStatsSchema } from './messages.ts'

/** What can be asked of a running vault, and what it answers. Nothing here holds plate text. */

const instant = z.iso.datetime({ precision: 3 })
const count = z.int().nonnegative()
const evidenceId = z.uuid()
/** Words of a person, for the audit log. */
const words = z.string().trim().min(1).max(500)
const name = z.string().trim().min(1).max(100)

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
  z.strictObject({ verb: z.literal('evidence-release'), evidenceId, reason: words, by: name }),
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
  }),
  delivery: z.strictObject({
    connected: z.boolean(),
    /** Since the process started. */
    delivered: count,
    lastReceiptAt: instant.nullable(),
    /** Receipts that were not believed, since the process started. */
    refusedReceipts: count,
    /** Why the last try failed. */
    code: z.string().nullable(),
  }),
  retention: z.strictObject({ lastRunAt: instant.nullable(), nextRunAt: instant.nullable() }),
  clock: clockStateSchema,
  warnings: z.array(warningSchema),
})
export type VaultStatus = z.infer<typeof statusSchema>

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
  hold: z
    .strictObject({
      reason: z.string(),
      by: z.string(),
      caseNumber: z.string().nullable(),
      heldAt: instant,
    })
    .nullable(),
})
export type EvidenceRow = z.infer<typeof evidenceRowSchema>

export const answerSchemas = {
  status: statusSchema,
  'evidence-list': z.strictObject({ evidence: z.array(evidenceRowSchema) }),
  'evidence-hold': z.strictObject({ evidenceId }),
  'evidence-release': z.strictObject({ evidenceId }),
} as const satisfies Record<ControlRequest['verb'], z.ZodType>

/** The answer to each verb. */
export type ControlAnswers = { readonly [V in ControlRequest['verb']]: z.infer<(typeof answerSchemas)[V]> }

export const replySchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), answer: z.unknown() }),
  z.strictObject({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(1000) }),
])
export type ControlReply = z.infer<typeof replySchema>
