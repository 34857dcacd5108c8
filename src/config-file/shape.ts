import { z } from 'zod'
import { valueText, type ConfigPath, type Finding } from './finding.ts'
import { nearestWord } from './suggestion.ts'

/** The part of JSON Schema that `z.toJSONSchema` writes for our schemas, and our own `expects`. */
export interface SchemaNode {
  readonly description?: string
  readonly expects?: string
  readonly type?: string
  readonly format?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly prefixItems?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
}

/** The schema as a tree that can be walked by path; what may be written, before defaults. */
export function schemaTree(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: 'input' }) as SchemaNode
}

/**
 * Everything in `value` that the schema refuses, each with what it expects there.
 *
 * The expectation comes from the schema itself, so that a message cannot differ from what is checked.
 */
export function findShapeFaults(schema: z.ZodType, value: unknown): Finding[] {
  const result = schema.safeParse(value)
  if (result.success) return []
  const tree = schemaTree(schema)
  const findings = result.error.issues.flatMap((issue) => explain(issue, tree, value))
  for (const path of findings.map((found) => found.path).filter((path) => isUnknownKind(tree, value, path))) {
    findings.push(...findBehindKind(schema, tree, value, path))
  }
  return findings.filter(({ path }, i) => findings.findIndex((other) => same(other.path, path)) === i)
}

/** Whether a choice of branches stands above `path`, and the value names none of them there. */
function isUnknownKind(tree: SchemaNode, root: unknown, path: ConfigPath): boolean {
  return path.at(-1) === 'kind' && branchesAt(tree, root, path.slice(0, -1)) !== undefined
}

/**
 * What else is wrong with an entry whose kind nobody knows: the faults that it would have as the kind that fits it best, so
 * that they are not found only once the kind is mended.
 */
function findBehindKind(schema: z.ZodType, tree: SchemaNode, root: unknown, path: ConfigPath): Finding[] {
  const entry = path.slice(0, -1)
  const kinds = kindsOf(branchesAt(tree, root, entry) ?? [])
  const near = nearestWord(String(valueAt(root, path)), kinds)
  const tries = (near === undefined ? kinds : [near]).map((kind) => {
    const mended = withValue(root, path, kind)
    const issues = schema.safeParse(mended).error?.issues ?? []
    return issues
      .flatMap((issue) => explain(issue, tree, mended))
      .filter((found) => same(found.path.slice(0, entry.length), entry))
  })
  return tries.sort((a, b) => a.length - b.length)[0] ?? []
}

/** A copy of `root` with another value at `path`, which leads somewhere. */
function withValue(root: unknown, path: ConfigPath, value: unknown): unknown {
  const copy = structuredClone(root)
  const above = valueAt(copy, path.slice(0, -1)) as Record<string | number, unknown>
  above[path.at(-1) ?? ''] = value
  return copy
}

function explain(issue: z.core.$ZodIssue, tree: SchemaNode, root: unknown): Finding[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    const siblings = valueAt(root, path)
    const known = Object.keys(nodeAt(tree, root, path)?.properties ?? {})
    const free = known.filter((name) => valueAt(siblings, [name]) === undefined)
    return issue.keys.map((key) => ({ path: [...path, key], reason: unknownKey(key, free) }))
  }
  const node = nodeAt(tree, root, path)
  const value = valueAt(root, path)
  if (value === undefined) {
    return [{ path, reason: node?.description ? `is missing: ${node.description}` : 'is missing' }]
  }
  return [{ path, reason: `must be ${expectation(node)}${advice(node, value)}`, got: valueText(path, value) }]
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearestWord(key, known)
  return near ? `unknown key; did you mean "${near}"?` : 'unknown key'
}

/** What else would help with a value of this kind. */
function advice(node: SchemaNode | undefined, value: unknown): string {
  const choices = node && choicesOf(node)
  const near = choices && typeof value === 'string' ? nearestWord(value, choices) : undefined
  if (near) return `; did you mean "${near}"?`
  if (node?.type === 'string' && !choices && ['number', 'boolean'].includes(typeof value))
    return ', in quotes'
  return ''
}

function choicesOf(node: SchemaNode): string[] | undefined {
  const choices = node.enum ?? (node.const === undefined ? undefined : [node.const])
  return choices?.map(String)
}

/** What the schema takes, to follow "must be": `a number above 0 and at most 86400`. */
export function expectation(node: SchemaNode | undefined): string {
  if (!node) return 'something else'
  if (node.expects) return node.expects
  const choices = choicesOf(node)
  if (choices) return choices.length === 1 ? (choices[0] ?? '') : `one of ${choices.join(', ')}`
  switch (node.type) {
    case 'number':
    case 'integer':
      return `a ${node.type === 'integer' ? 'whole number' : 'number'}${range(node)}`
    case 'string':
      return `a text${node.maxLength === undefined ? '' : ` of at most ${node.maxLength} characters`}`
    case 'array':
      return `a list${itemCount(node)}`
    case 'boolean':
      return 'true or false'
    case undefined:
    default:
      return 'a group of keys'
  }
}

function range({ minimum, maximum, exclusiveMinimum }: SchemaNode): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  const low = exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : ''
  const least = minimum !== undefined ? ` of at least ${minimum}` : low
  return maximum === undefined ? least : `${least}${least ? ' and' : ''} at most ${maximum}`
}

function itemCount({ minItems, maxItems }: SchemaNode): string {
  if (minItems !== undefined && maxItems !== undefined) return ` of ${minItems} to ${maxItems} entries`
  if (minItems !== undefined) return ` of at least ${minItems} ${minItems === 1 ? 'entry' : 'entries'}`
  return maxItems === undefined ? '' : ` of at most ${maxItems} entries`
}

/** The schema's node at a path; the branch of a choice is the one whose `kind` the value names. */
function nodeAt(tree: SchemaNode, root: unknown, path: ConfigPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = chosenBranch(tree, root)
  path.forEach((part, depth) => {
    const below: SchemaNode | undefined =
      typeof part === 'number' ? (node?.prefixItems?.[part] ?? node?.items) : node?.properties?.[part]
    node = below && chosenBranch(below, valueAt(root, path.slice(0, depth + 1)))
  })
  return node
}

/** Where no branch is named, a node whose `kind` lists the choices. */
function chosenBranch(node: SchemaNode, value: unknown): SchemaNode {
  if (!node.oneOf) return node
  const kind = valueAt(value, ['kind'])
  const branch = node.oneOf.find(({ properties }) => properties?.['kind']?.const === kind)
  if (branch) return branch
  const kinds = kindsOf(node.oneOf)
  return { type: 'object', properties: { kind: { enum: kinds, description: `one of ${kinds.join(', ')}` } } }
}

/** The branches of a choice at `path`, where there is one and the value has not chosen. */
function branchesAt(tree: SchemaNode, root: unknown, path: ConfigPath): readonly SchemaNode[] | undefined {
  const above = nodeAt(tree, root, path.slice(0, -1))
  const part = path.at(-1)
  const node = typeof part === 'number' ? above?.items : above?.properties?.[part ?? '']
  const kind = valueAt(root, [...path, 'kind'])
  return node?.oneOf?.some(({ properties }) => properties?.['kind']?.const === kind) ? undefined : node?.oneOf
}

function kindsOf(branches: readonly SchemaNode[]): string[] {
  return branches.map(({ properties }) => String(properties?.['kind']?.const))
}

/** The value at a path, or undefined where the path leads nowhere. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value: unknown = root
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}

function same(a: ConfigPath, b: ConfigPath): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i])
}
