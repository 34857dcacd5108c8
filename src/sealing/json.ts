import type { z } from 'zod'
import { type ErrorCode, RoadveilError } from '../errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads JSON that came from outside: at most `maxBytes` long, valid UTF-8, exactly of the schema's form, and without keys that
 * could reach an object's prototype.
 *
 * Throws `code` for everything else; the message names the first place that is wrong but never quotes a value.
 */
export function parseStrictJson<T>(
  bytes: Uint8Array,
  schema: z.ZodType<T>,
  limits: { readonly maxBytes: number; readonly code: ErrorCode; readonly what: string },
): T {
  const { maxBytes, code, what } = limits
  if (bytes.length > maxBytes) {
    throw new RoadveilError(code, `${what} has ${bytes.length} bytes, more than ${maxBytes}`)
  }
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(bytes), refusePrototypeKeys)
  } catch {
    // JSON.parse quotes its input in the message, which may hold personal data: no cause.
    throw new RoadveilError(code, `${what} is not JSON`)
  }
  const result = schema.safeParse(value)
  if (!result.success) {
    const issue = result.error.issues[0]
    const path = issue?.path.join('.') ?? ''
    throw new RoadveilError(code, `${what} is not of the expected form at ${path === '' ? 'its top' : path}`)
  }
  return result.data
}

/** JSON.parse makes `__proto__` an ordinary own key; a later copy of the object would turn it into the prototype. */
function refusePrototypeKeys(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('prototype key')
  return value
}
