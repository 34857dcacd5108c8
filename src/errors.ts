import { EXCHANGE_ERRORS } from './errors/exchange.ts'
import { KEEPING_ERRORS } from './errors/keeping.ts'
import { PICTURE_ERRORS } from './errors/pictures.ts'

/**
 * The registry of error codes: every failure that Roadveil reports carries one of these codes and its hint.
 *
 * `exit` is the CLI's exit code when the error ends a command: 1 failed (default), 2 usage, 3 bad config,
 * 4 daemon not reachable. A hint tells the reader what to do, never what they did wrong.
 */
export const ERRORS = { ...PICTURE_ERRORS, ...EXCHANGE_ERRORS, ...KEEPING_ERRORS } as const

export type ErrorCode = keyof typeof ERRORS

/** A failure with a registered code. `message` says what happened in one line and holds no personal data and no secret. */
export class RoadveilError extends Error {
  override readonly name = 'RoadveilError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** What the reader can do about it. */
  get hint(): string {
    return ERRORS[this.code].hint
  }

  /** The CLI's exit code for this failure. */
  get exitCode(): 1 | 2 | 3 | 4 {
    const entry = ERRORS[this.code]
    return 'exit' in entry ? entry.exit : 1
  }
}

/** True for an error of ours, with the code given or with any. */
export function isRoadveilError(error: unknown, code?: ErrorCode): error is RoadveilError {
  return error instanceof RoadveilError && (code === undefined || error.code === code)
}
