import type { LogFields, Logger } from '../../src/log.ts'

/** A logger that keeps what it is told, for tests that look at it. */
export function keptLog(): Logger & {
  readonly lines: { level: string; message: string; fields?: LogFields }[]
} {
  const lines: { level: string; message: string; fields?: LogFields }[] = []
  const keep =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      lines.push({ level, message, ...(fields ? { fields } : {}) })
    }
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}
