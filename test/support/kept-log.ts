import { createLogger, type LogFields, type Logger, type LogLevel } from '../../src/log.ts'
import { isHeard, tellHandled } from './handled.ts'

/** A logger that keeps what it is told, for tests that look at it. Whoever listens to what is handled hears each line as it is written. */
export function keptLog(): Logger & {
  readonly lines: { level: string; message: string; fields?: LogFields }[]
} {
  const lines: { level: string; message: string; fields?: LogFields }[] = []
  const written = createLogger({
    ...{ process: 'vault', level: 'debug' },
    destination: { write: (text) => tellHandled({ kind: 'text', where: 'a log', text }) },
  })
  const keep =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      lines.push({ level, message, ...(fields ? { fields } : {}) })
      if (isHeard()) written[level](message, fields)
    }
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}
