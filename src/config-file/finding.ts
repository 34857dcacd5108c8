import type { ErrorCode } from '../errors.ts'
import { scrubCredentials, singleLine } from '../scrub.ts'

/** Where something stands in a config: keys and list indexes from the top. */
export type ConfigPath = readonly (string | number)[]

/** What a check found wrong. The value is shown only as far as it cannot be a secret. */
export interface Finding {
  readonly path: ConfigPath
  readonly reason: string
  /** Present where showing the value helps. */
  readonly got?: string
  readonly code?: ErrorCode
}

/** One fault of a config file, for people and for `--json`. */
export interface Fault {
  /** For example `cameras[0].rules[1].limitSeconds`. */
  readonly path: string
  readonly reason: string
  readonly got?: string
  /** Line of the config file, from 1. */
  readonly line?: number
  readonly code?: ErrorCode
}

/** `line N: path: reason (got value)`. */
export function faultText(fault: Fault): string {
  const line = fault.line === undefined ? '' : `line ${fault.line}: `
  return `${line}${fault.path}: ${fault.reason}${fault.got === undefined ? '' : ` (got ${fault.got})`}`
}

/** A path as people write it: `cameras[0].url`; the whole file is `config`. */
export function pathText(path: ConfigPath): string {
  const text = path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`
      if (/^[A-Za-z_][\w-]{0,62}$/.test(part)) return `.${part}`
      return `[${JSON.stringify(singleLine(scrubCredentials(part), 40))}]`
    })
    .join('')
  return text.replace(/^\./, '') || 'config'
}

/** The value found at `path`, for a fault message: short, without line breaks, and never a secret. */
export function valueText(path: ConfigPath, value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) {
    const numbers = value.every((item) => typeof item === 'number')
    return numbers && value.length > 0 && value.length <= 4
      ? `[${value.join(', ')}]`
      : counted(value.length, 'entry', 'entries')
  }
  if (typeof value === 'object') return counted(Object.keys(value).length, 'key', 'keys')
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (isSecret(path, text)) return 'a value that is not shown'
  return typeof value === 'string' ? JSON.stringify(singleLine(scrubUrl(text), 60)) : numberText(value, text)
}

/** JSON has no word for .nan and .inf. */
function numberText(value: unknown, text: string): string {
  return typeof value === 'number' ? String(value) : text
}

function counted(count: number, one: string, many: string): string {
  return `${count === 0 ? 'no' : count} ${count === 1 ? one : many}`
}

/** A URL may hold credentials even where it is malformed (`rtsp:user:pass@host`): everything before the last `@` goes. */
function scrubUrl(text: string): string {
  if (!text.includes('@')) return scrubCredentials(text)
  return `${/^\w{2,6}:/.exec(text)?.[0] ?? ''}//***@${scrubCredentials(text.slice(text.lastIndexOf('@') + 1))}`
}

const SECRET_NAME = /pass|pwd|secret|token|credential|private/i
const SECRET_TEXT = /SECRET|PRIVATE|^[0-9a-f]{32,}$|^[A-Za-z0-9+/_-]{43,44}=?$/i

/** True for a value that may be a password or a key, by its name or its look. */
function isSecret(path: ConfigPath, text: string): boolean {
  if (SECRET_TEXT.test(text)) return true
  const name = path.findLast((part) => typeof part === 'string') ?? ''
  if (/Files?$/.test(name)) return /:|^\S{1,64}@/.test(text) && !text.includes('/')
  return SECRET_NAME.test(name) || (/key$/i.test(name) && !/Keys$/.test(name))
}
