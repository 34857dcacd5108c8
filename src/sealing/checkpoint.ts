import { z } from 'zod'
import type { Checkpoint } from '../domain/checkpoint.ts'
import { slugSchema } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { MAX_CHECKPOINT_BYTES, MAX_CHECKPOINT_MARKS } from '../protocol/limits.ts'
import { signEnvelope, verifyEnvelope } from './dsse.ts'
import { parseStrictJson } from './json.ts'
import type { SigningKey, VerifyKeys } from './keys.ts'

const CHECKPOINT_TYPE = 'application/vnd.roadveil.checkpoint.v1+json'
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

const signedSchema = checkpointSchema.extend({ schema: z.literal(SCHEMA) })

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
export function verifyCheckpoint(
  envelope: Uint8Array,
  sender: { readonly deviceId: string; readonly deviceKeys: VerifyKeys },
): Checkpoint {
  const { payload } = verifyEnvelope(envelope, CHECKPOINT_TYPE, sender.deviceKeys)
  const { site, device, logId, head, marks, issuedAt } = parseStrictJson(payload, signedSchema, {
    maxBytes: MAX_CHECKPOINT_BYTES,
    code: 'ERR_CHECKPOINT_INVALID',
    what: 'the checkpoint',
  })
  if (device !== sender.deviceId) {
    throw new RoadveilError(
      'ERR_CHECKPOINT_INVALID',
      `the checkpoint speaks for another device than ${sender.deviceId}`,
    )
  }
  const sequences = [...marks, head].map(({ sequence }) => sequence)
  if (sequences.some((sequence, i) => i > 0 && sequence <= (sequences[i - 1] ?? 0))) {
    throw new RoadveilError(
      'ERR_CHECKPOINT_INVALID',
      'the marks of the checkpoint do not rise up to its head',
    )
  }
  return { site, device, logId, head, marks, issuedAt }
}
