import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import { MAX_ANSWER_BYTES, MAX_COMMAND_EVIDENCE } from '../protocol/limits.ts'
import { UUID } from '../protocol/topics.ts'
import { type StatementSender, verifyStatement } from './device-statement.ts'
import { signEnvelope } from './dsse.ts'
import type { SigningKey } from './keys.ts'

export const ANSWER_TYPE = 'application/vnd.roadveil.answer.v1+json'
const SCHEMA = 'roadveil.answer.v1'

const uuid = z.string().regex(UUID)
const fingerprint = z.string().regex(/^[0-9a-f]{16}$/)

const base = {
  schema: z.literal(SCHEMA),
  site: slugSchema,
  device: slugSchema,
  commandId: uuid,
  /** SHA-256 of the signed command as it came: whoever sent other bytes under this id is not meant. */
  commandSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** On the box's clock. */
  answeredAt: z.iso.datetime({ precision: 3 }),
}

/** What is signed. */
export const answerSchema = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('done'),
    ...base,
    kind: z.enum(['hold', 'release', 'erase', 'resend', 'rotate-key']),
    /** How much of what, in words of the kind. */
    changed: z.record(z.string().regex(/^[a-z]{1,30}$/), z.int().nonnegative()),
    /** Evidence that the command names and the box has no longer: the city confirmed it once. */
    gone: z.array(uuid).max(MAX_COMMAND_EVIDENCE).readonly().optional(),
    /** Of `rotate-key`: which signing key took the place of which. */
    rotated: z.strictObject({ previousKeyId: fingerprint, keyId: fingerprint }).optional(),
  }),
  z.strictObject({
    outcome: z.literal('refused'),
    ...base,
    code: z.string().regex(/^ERR_[A-Z_]{1,60}$/),
  }),
])

/** The box's signed word about what became of a command. It names no person and no plate. */
export type Answer = z.infer<typeof answerSchema>

type Unsigned<A> = A extends Answer ? Omit<A, 'schema'> : never
/** An answer before it is signed. */
export type UnsignedAnswer = Unsigned<Answer>

const FORM = {
  type: ANSWER_TYPE,
  schema: answerSchema,
  maxBytes: MAX_ANSWER_BYTES,
  code: 'ERR_ANSWER_INVALID',
  what: 'the answer',
} as const

/** Signs an answer as the box. */
export function signAnswer(answer: UnsignedAnswer, key: SigningKey): Uint8Array {
  return signEnvelope(ANSWER_TYPE, Buffer.from(JSON.stringify({ schema: SCHEMA, ...answer })), key)
}

/**
 * Returns the answer in an envelope that `deviceId` has signed with one of its keys.
 *
 * Throws what `verifyEnvelope` does, and ERR_ANSWER_INVALID when its form is wrong or it speaks for another device.
 */
export function verifyAnswer(envelope: Uint8Array, sender: StatementSender): Answer {
  return verifyStatement(envelope, sender, FORM).statement
}
