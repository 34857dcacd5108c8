import { pino } from 'pino'
import { isRoadveilError } from './errors.ts'
import { scrubCredentials, singleLine } from './scrub.ts'

/**
 * Logs: JSON lines with fields from an allow-list. What is not in the list cannot be logged: neither by type, nor at run
 * time. No field may ever hold plate text, credentials or anything else that names a person.
 */
const FIELDS = {
  // who and what
  camera: 'string',
  rule: 'string',
  ruleKind: 'string',
  zone: 'string',
  track: 'string',
  class: 'string',
  evidenceId: 'string',
  commandId: 'string',
  receiptKeyId: 'string',
  keyId: 'string',
  device: 'string',
  site: 'string',
  role: 'string',
  model: 'string',
  provider: 'string',
  sha256: 'string',
  version: 'string',
  topicKind: 'string',
  host: 'string',
  file: 'string',
  // what happened
  code: 'string',
  hint: 'string',
  reason: 'string',
  state: 'string',
  mode: 'string',
  status: 'string',
  verb: 'string',
  signal: 'string',
  at: 'string',
  // how much
  port: 'number',
  pid: 'number',
  exitCode: 'number',
  attempt: 'number',
  count: 'number',
  total: 'number',
  sequence: 'number',
  dropped: 'number',
  missing: 'number',
  frames: 'number',
  fps: 'number',
  chunk: 'number',
  chunks: 'number',
  bytes: 'number',
  durationMs: 'number',
  delayMs: 'number',
  ageMs: 'number',
  score: 'number',
  width: 'number',
  height: 'number',
} as const

type FieldTypes = typeof FIELDS

/** What a log line may say beside its message. `error` is written as its code, reason and hint. */
export type LogFields = {
  readonly [K in keyof FieldTypes]?: (FieldTypes[K] extends 'string' ? string : number) | undefined
} & { readonly error?: unknown }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

const MAX_TEXT = 400

/** Creates the logger of one process. It writes to stderr, or to `destination` if one is given, without buffering. */
export function createLogger(options: {
  readonly process: 'vision' | 'vault' | 'receiver' | 'cli'
  readonly level: LogLevel
  readonly destination?: { write(line: string): void }
}): Logger {
  const logger = pino(
    {
      level: options.level,
      base: { process: options.process },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? pino.destination({ fd: process.stderr.fd, sync: true }),
  )
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logger.isLevelEnabled(level)) logger[level](allowedFields(fields), cleanText(message))
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** The fields that may be logged, cleaned; everything else is dropped. */
function allowedFields(fields: LogFields): Record<string, string | number> {
  const allowed: Record<string, string | number> = fields.error === undefined ? {} : errorFields(fields.error)
  for (const [name, value] of Object.entries<unknown>(fields)) {
    if (!Object.hasOwn(FIELDS, name)) continue
    const type = FIELDS[name as keyof FieldTypes]
    if (type === 'string' && typeof value === 'string') allowed[name] = cleanText(value)
    if (type === 'number' && typeof value === 'number' && Number.isFinite(value)) allowed[name] = value
  }
  return allowed
}

/** An error of ours says what happened; of any other only the name is safe, since its message may hold anything. */
function errorFields(error: unknown): Record<string, string> {
  if (isRoadveilError(error)) {
    return { code: error.code, reason: cleanText(error.message), hint: error.hint }
  }
  return { code: 'ERR_INTERNAL', name: foreignErrorText(error) }
}

/**
 * What may be said of an error that is not ours: its name, a system's code such as ENOENT, and the line of our source
 * that it came through. Never its message, which may hold anything.
 */
export function foreignErrorText(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code =
    'code' in error && typeof error.code === 'string' && /^[A-Z0-9_]{2,60}$/.test(error.code)
      ? error.code
      : ''
  const place = /\b(?:src|dist)\/([\w/.-]+:\d+)/.exec(error.stack ?? '')?.[1]
  return cleanText([error.name, code && `(${code})`, place && `at ${place}`].filter(Boolean).join(' '))
}

function cleanText(text: string): string {
  return singleLine(scrubCredentials(text), MAX_TEXT)
}
