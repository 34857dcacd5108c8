import { z } from 'zod'
import type { Checkpoint } from '../domain/checkpoint.ts'
import { slugSchema } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { MAX_CHECKPOINT_BYTES, MAX_CHECKPOINT_MARKS } from '../protocol/limits.ts'
import { type StatementSender, verifyStatement } from './device-statement.ts'
import { signEnvelope } from './dsse.ts'
import type { SigningKey } from './keys.ts'

/** Media type of the signed payload. */
export const CHECKPOINT_TYPE = 'application/vnd.roadveil.checkpoint.v1+json'
const SCHEMA = 'roadveil.checkpoint.v1'

const markSchema = z.strictObject({
  sequence: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
})

/** What is signed, without the name of its form. */
export const checkpointSchema = z.strictObject({
  site: slugSchema,
  device: slugSchema,
  logId: z.string().regex(/^[0-9a-f]{32}$/),
  head: markSchema,
  marks: z.array(markSchema).max(MAX_CHECKPOINT_MARKS),
  issuedAt: z.iso.datetime({ precision: 3 }),
})

/** What is signed. */
export const signedCheckpointSchema = checkpointSchema.extend({ schema: z.literal(SCHEMA) })

const FORM = {
  type: CHECKPOINT_TYPE,
  schema: signedCheckpointSchema,
  maxBytes: MAX_CHECKPOINT_BYTES,
  code: 'ERR_CHECKPOINT_INVALID',
  what: 'the checkpoint',
} as const

/** Signs a checkpoint as the box. */
export function signCheckpoint(checkpoint: Checkpoint, key: SigningKey): Uint8Array {
  const payload = JSON.stringify({ schema: SCHEMA, ...checkpoint })
  return signEnvelope(CHECKPOINT_TYPE, Buffer.from(payload), key)
}

/**
 * Returns the checkpoint in an envelope that `deviceId` has signed with one of its keys.
 *
 * Throws what `verifyEnvelope` does, and ERR_CHECKPOINT_INVALID when its form is wrong, it speaks for another device, or its marks
 * do not rise up to its head.
 */
export function verifyCheckpoint(envelope: Uint8Array, sender: StatementSender): Checkpoint {
  const { site, device, logId, head, marks, issuedAt } = verifyStatement(envelope, sender, FORM).statement
  const sequences = [...marks, head].map(({ sequence }) => sequence)
  if (sequences.some((sequence, i) => i > 0 && sequence <= (sequences[i - 1] ?? 0))) {
    throw new RoadveilError(
      'ERR_CHECKPOINT_INVALID',
      'the marks of the checkpoint do not rise up to its head',
    )
  }
  return { site, device, logId, head, marks, issuedAt }
}
