import type { z } from 'zod'
import { type ErrorCode, RoadveilError } from '../errors.ts'
import { verifyEnvelope } from './dsse.ts'
import { parseStrictJson } from './json.ts'
import type { VerifyKeys } from './keys.ts'

/** Who must have signed a statement, and with which keys it may have done so. */
export interface StatementSender {
  readonly deviceId: string
  readonly deviceKeys: VerifyKeys
}

/** A kind of statement that boxes sign. */
export interface StatementForm<T> {
  /** Media type of the payload. */
  readonly type: string
  readonly schema: z.ZodType<T>
  readonly maxBytes: number
  /** For everything that is wrong with its form. */
  readonly code: ErrorCode
  /** What it is called in messages. */
  readonly what: string
}

/**
 * Returns the statement in an envelope that `deviceId` has signed with one of its keys, and which of them it was.
 *
 * Throws what `verifyEnvelope` does, and the form's code when it is of another form or speaks for another device.
 */
export function verifyStatement<T extends { readonly device: string }>(
  envelope: Uint8Array,
  { deviceId, deviceKeys }: StatementSender,
  form: StatementForm<T>,
): { readonly statement: T; readonly keyId: string } {
  const { payload, keyId } = verifyEnvelope(envelope, form.type, deviceKeys)
  const statement = parseStrictJson(payload, form.schema, form)
  if (statement.device !== deviceId)
    throw new RoadveilError(form.code, `${form.what} speaks for another device than ${deviceId}`)
  return { statement, keyId }
}
