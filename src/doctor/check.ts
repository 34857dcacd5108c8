import { type ErrorCode, ERRORS, isRoadveilError } from '../errors.ts'
import { foreignErrorText } from '../log.ts'
import { scrubCredentials } from '../scrub.ts'

/** What one look at the installation has found. */
export interface Check {
  /** What was looked at. */
  readonly check: string
  readonly state: 'ok' | 'warning' | 'fault'
  /** null where it is ok. */
  readonly code: ErrorCode | null
  /** What was found, in one line. */
  readonly message: string
  /** What to do about it. */
  readonly hint: string | null
}

export function ok(check: string, message: string): Check {
  return { check, state: 'ok', code: null, message, hint: null }
}

export function fault(check: string, code: ErrorCode, message: string): Check {
  return { check, state: 'fault', code, message, hint: ERRORS[code].hint }
}

export function warn(check: string, code: ErrorCode, message: string): Check {
  return { ...fault(check, code, message), state: 'warning' }
}

/** Runs a look that throws what it finds; `as` is what that is worth. */
export async function look(
  check: string,
  work: () => Promise<readonly Check[]> | readonly Check[],
  as: 'warning' | 'fault' = 'fault',
): Promise<readonly Check[]> {
  try {
    return await work()
  } catch (error) {
    const known = isRoadveilError(error)
    const code = known ? error.code : 'ERR_INTERNAL'
    const message = known ? (error.message.split('\n')[0] ?? '') : `unexpected ${foreignErrorText(error)}`
    return [{ ...fault(check, code, scrubCredentials(message)), state: as }]
  }
}

/** Warnings as checks; one that is ok where there is none. */
export function judged(
  check: string,
  warnings: readonly { readonly code: ErrorCode; readonly message: string }[],
  well: string,
): readonly Check[] {
  return warnings.length === 0
    ? [ok(check, well)]
    : warnings.map(({ code, message }) => warn(check, code, message))
}
