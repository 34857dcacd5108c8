import { z } from 'zod'
import { evidenceFactsSchema, slugSchema } from '../domain/evidence.ts'
import type { EvidenceFile, RedactedEvidence } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import type { Frame } from './framing.ts'

/** Messages between vision and vault. vault trusts vision with nothing: vision parses video from outside. */

export const CHANNEL_PROTOCOL = 1

const version = z.string().min(1).max(64)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const instant = z.iso.datetime({ precision: 3 })
const count = z.int().nonnegative()
/** Lower case only: the id stands in topics and answers, where case would tell two evidence apart. */
const evidenceId = z.uuid().lowercase()
/** A code of the registry, of this version or another. */
const code = z.string().regex(/^ERR_[A-Z0-9_]{1,60}$/)

/** What one camera is doing. */
const cameraStatsSchema = z.strictObject({
  camera: slugSchema,
  state: z.enum(['connecting', 'live', 'down', 'ended']),
  /** Analysis frames per second over the last seconds. */
  fps: z.number().min(0).max(1000),
  /** Since the process started. */
  frames: count,
  /** Frames that a newer one replaced before they were searched, since the process started. */
  dropped: count,
  restarts: count,
  lastFrameAt: instant.nullable(),
  /** Why it is down. */
  code: code.optional(),
})

/** What vision says of itself about once a second; only the latest matters. */
export const visionStatsSchema = z.strictObject({
  /** Whether the networks do on the built-in clip what this release did: nobody is enforced against until they have. */
  selftest: z.enum(['running', 'passed', 'failed']),
  cameras: z.array(cameraStatsSchema).max(32),
  /** Since the process started. */
  counts: z.strictObject({
    tracks: count,
    violations: count,
    /** Evidence that was built. */
    built: count,
    /** Violations that left no evidence. */
    discarded: count,
    /** Of those: because a frame could not be checked for faces and plates. */
    uncheckedRedactions: count,
    /** And because something was found again in the redacted pictures. */
    unverifiedRedactions: count,
    /** Evidence in memory that vault has not confirmed. */
    waiting: count,
  }),
})
export type VisionStats = z.infer<typeof visionStatsSchema>

const discardedSchema = z.strictObject({
  evidenceId,
  camera: slugSchema,
  ruleId: slugSchema,
  judgedAt: instant,
  code,
})

const selftestSchema = z.strictObject({
  /** Of software version and networks. */
  subjectSha256: sha256,
  passed: z.boolean(),
})
/** How the networks did on the built-in clip. */
export type SelftestReport = z.infer<typeof selftestSchema>

/** What every version understands of a first message. */
export const anyHelloSchema = z.looseObject({ type: z.literal('hello'), protocol: z.int() })

export const visionHelloSchema = z.strictObject({
  type: z.literal('hello'),
  protocol: z.literal(CHANNEL_PROTOCOL),
  version,
  configSha256: sha256,
})
export type VisionHello = z.infer<typeof visionHelloSchema>

/** vision to vault, after its hello. `facts` are judged apart, so that bad ones can be refused by their id. */
export const visionMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('evidence'), evidenceId, facts: z.unknown() }),
  z.strictObject({ type: z.literal('discarded'), discarded: discardedSchema }),
  z.strictObject({ type: z.literal('stats'), stats: visionStatsSchema }),
  z.strictObject({ type: z.literal('selftest'), report: selftestSchema }),
])
export type VisionMessage = z.infer<typeof visionMessageSchema>

/** vault to vision. Every evidence and every discarded violation is answered by `stored` or `refused`. */
export const vaultMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    protocol: z.literal(CHANNEL_PROTOCOL),
    version,
    /** What last passed the self-test on this box. */
    selftestPassedBy: sha256.nullable(),
  }),
  /** The last message: why vault closes the connection. */
  z.strictObject({ type: z.literal('bye'), code }),
  z.strictObject({ type: z.literal('stored'), evidenceId }),
  /** `again`: keep it and send it again later. */
  z.strictObject({ type: z.literal('refused'), evidenceId, code, again: z.boolean() }),
])
export type VaultMessage = z.infer<typeof vaultMessageSchema>

/**
 * Checks a message against its schema.
 *
 * @throws ERR_CHANNEL_MESSAGE; the reason names the place in the message, never its content.
 */
export function parseMessage<T extends z.ZodType>(schema: T, message: unknown): z.output<T> {
  const result = schema.safeParse(message)
  if (result.success) return result.data
  throw new RoadveilError('ERR_CHANNEL_MESSAGE', `not a message of the protocol: ${faultOf(result.error)}`)
}

/** Where a value breaks its schema, without the value. */
function faultOf(error: z.ZodError): string {
  const [issue] = error.issues
  return issue ? `${issue.path.join('.') || 'value'} (${issue.code})` : 'value'
}

/** The frame that carries an evidence: its files are the parts, in the order of `facts.files`. */
export function evidenceFrame(evidence: RedactedEvidence): Frame {
  const byName = new Map(evidence.files.map((file) => [file.name, file.bytes]))
  const parts = evidence.facts.files.map(({ name }) => {
    const bytes = byName.get(name)
    if (!bytes) throw new RoadveilError('ERR_EVIDENCE_INVALID', `the file ${name} is missing`)
    return bytes
  })
  const { facts } = evidence
  return { message: { type: 'evidence', evidenceId: facts.evidenceId, facts }, parts }
}

/**
 * The evidence of a message, its facts checked and every file's size against them. Hashes are checked by whoever
 * takes the evidence in.
 *
 * @throws ERR_EVIDENCE_INVALID
 */
export function parseEvidence(
  message: VisionMessage & { type: 'evidence' },
  parts: readonly Uint8Array[],
): RedactedEvidence {
  const result = evidenceFactsSchema.safeParse(message.facts)
  if (!result.success) {
    throw new RoadveilError('ERR_EVIDENCE_INVALID', `the facts are not valid: ${faultOf(result.error)}`)
  }
  const facts = result.data
  if (facts.evidenceId !== message.evidenceId) {
    throw new RoadveilError('ERR_EVIDENCE_INVALID', 'the facts are of another evidence')
  }
  if (parts.length !== facts.files.length) {
    throw new RoadveilError('ERR_EVIDENCE_INVALID', `${parts.length} files came, not ${facts.files.length}`)
  }
  const files = facts.files.map(({ name, bytes: size }, index): EvidenceFile => {
    const bytes = parts[index]
    if (bytes?.byteLength !== size) {
      throw new RoadveilError('ERR_EVIDENCE_INVALID', `the file ${name} does not have ${size} bytes`)
    }
    return { name, bytes }
  })
  return { facts, files }
}
