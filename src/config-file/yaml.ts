import {
  LineCounter,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseDocument,
  visit,
  type Document,
} from 'yaml'
import { RoadveilError } from '../errors.ts'
import type { ConfigPath } from './finding.ts'

/** A parsed YAML file: plain values, and where in the file each stands. */
export interface YamlFile {
  readonly value: unknown
  /** Line of the entry, or of the nearest one above it that is there; from 1. */
  readonly lineOf: (path: ConfigPath) => number
}

const MAX_BYTES = 1024 * 1024

/**
 * Parses YAML 1.2. Entries without a value count as absent.
 *
 * Throws ERR_CONFIG_SYNTAX with the lines. Duplicate keys, tags and aliases are refused: an alias can make a small file
 * expand without end, and a config that is read under stress should say everything where it holds.
 */
export function parseYaml(bytes: Uint8Array, name: string): YamlFile {
  if (bytes.length > MAX_BYTES) throw syntaxError(name, ['the file is larger than 1 MiB'])
  const text = decodeUtf8(bytes, name)
  const lines = new LineCounter()
  const line = (offset: number): number => Math.max(1, lines.linePos(offset).line)
  let document: Document.Parsed
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      schema: 'core',
      resolveKnownTags: false,
    })
  } catch {
    // The parser recurses; brackets nested some thousand deep end its stack.
    throw syntaxError(name, ['the file is nested too deep'])
  }
  const faults = [...document.errors, ...document.warnings].map(
    (error) => `line ${line(error.pos[0])}: ${MESSAGES[error.code] ?? 'this is not valid YAML'}`,
  )
  visit(document, {
    Alias: (_, alias) => void faults.push(`line ${line(alias.range?.[0] ?? 0)}: ${NO_ALIAS}`),
  })
  if (faults.length > 0) throw syntaxError(name, [...new Set(faults)].slice(0, 10))
  return {
    value: withoutNulls(document.toJS()),
    lineOf: (path) => line(offsetOf(document, path)),
  }
}

const NO_ALIAS = 'aliases (*name) are not supported; write the value out'

/** In our own words, because the parser's messages quote the file, and the file may hold what must not be shown. */
const MESSAGES: Partial<Record<string, string>> = {
  BAD_INDENT: 'the indentation does not fit the lines above',
  TAB_AS_INDENT: 'a tab indents this line; use spaces',
  DUPLICATE_KEY: 'this key is there twice',
  BAD_ALIAS: NO_ALIAS,
  MULTIPLE_DOCS: 'there must be only one document in the file (no ---)',
  TAG_RESOLVE_FAILED: 'tags (!name) are not supported',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing here',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line; a colon or a quote may be missing',
  BLOCK_AS_IMPLICIT_KEY:
    'a value may not begin a new group on the same line; put text with a colon in quotes',
  BAD_SCALAR_START: 'a text that begins with @, `, % or | must be in quotes',
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an escape; use single quotes',
  NON_STRING_KEY: 'a key must be a text; put it in quotes',
}

function syntaxError(name: string, faults: readonly string[]): RoadveilError {
  const [first = '', ...rest] = faults
  const text = rest.length === 0 ? ` ${first}` : faults.map((fault) => `\n  ${fault}`).join('')
  return new RoadveilError('ERR_CONFIG_SYNTAX', `${name} is not valid YAML:${text}`)
}

function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw syntaxError(name, ['the file is not UTF-8 text'])
  }
}

/** `plates:` with nothing but comments under it means that no plates are configured, not that they are null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, entry]) => entry !== null)
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutNulls(entry)]))
}

function offsetOf(document: Document.Parsed, path: ConfigPath): number {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part)
      if (!pair) break
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      const item = node.items[Number(part)]
      if (!isNode(item) || isAlias(item)) break
      offset = item.range?.[0] ?? offset
      node = item
    } else break
  }
  return offset
}
