import { z } from 'zod'
import { evidenceFactsSchema } from '../domain/evidence.ts'
import { ERRORS } from '../errors.ts'
import { configSchema } from './schema.ts'
import { expectation, schemaTree, type SchemaNode } from '../config-file/shape.ts'

/** The pages of config/ by file name, all made from the schemas and the registry of errors. */
export function referenceFiles(): Readonly<Record<string, string>> {
  return {
    'roadveil.schema.json': jsonSchema(configSchema, 'roadveil.yaml', 'input'),
    'evidence.schema.json': jsonSchema(evidenceFactsSchema, 'evidence.json', 'output'),
    'reference.md': configPage(schemaTree(configSchema)),
    'errors.md': errorPage(),
  }
}

const MADE = 'Made by `npm run config:generate` from the source; do not edit.'

function jsonSchema(schema: z.ZodType, title: string, io: 'input' | 'output'): string {
  const tree = z.toJSONSchema(schema, {
    io,
    // Our own word for fault messages; validators need not know it.
    override: ({ jsonSchema }) => {
      delete jsonSchema['expects']
    },
  })
  return `${JSON.stringify({ title, ...tree }, null, 2)}\n`
}

function configPage(tree: SchemaNode): string {
  const sections = Object.entries(tree.properties ?? {}).map(([name, node]) => {
    const body = table(rows(name, node, tree.required?.includes(name) === true))
    return `## ${name}\n\n${body}`
  })
  return [
    '# roadveil.yaml',
    `${MADE} \`roadveil check\` finds every fault of a file at once.`,
    'File names are relative to the folder of the config file. Points are `[x, y]` in 0-1 of the picture, `[0, 0]` top left.\n' +
      'A key without a default must be given, unless it is optional.',
    ...sections,
    '',
  ].join('\n\n')
}

type Row = readonly [key: string, value: string, fallback: string, meaning: string]

function rows(key: string, node: SchemaNode, required: boolean): Row[] {
  const inner = node.items ?? node
  const below = node.items ? `${key}[]` : key
  if (inner.oneOf) return [row(key, node, required), ...branchRows(below, inner.oneOf)]
  if (!inner.properties) return [row(key, node, required)]
  const entries = Object.entries(inner.properties).flatMap(([name, child]) =>
    rows(`${below}.${name}`, child, inner.required?.includes(name) === true),
  )
  return node.items || node.description ? [row(key, node, required), ...entries] : entries
}

/** Keys that every branch has come once; the rest say which branch they belong to. */
function branchRows(key: string, branches: readonly SchemaNode[]): Row[] {
  const kinds = branches.map(({ properties }) => properties?.['kind'])
  const kind: SchemaNode = {
    enum: kinds.map((node) => node?.const),
    description: kinds.map((node) => `${String(node?.const)}: ${lowerFirst(node?.description)}`).join('; '),
  }
  const names = [...new Set(branches.flatMap(({ properties }) => Object.keys(properties ?? {})))]
  const others = names.filter((name) => name !== 'kind')
  return [
    row(`${key}.kind`, kind, true),
    ...others.flatMap((name) => {
      const having = branches.filter(({ properties }) => properties?.[name])
      const node = having[0]?.properties?.[name]
      if (!node) return []
      const only = having.map(({ properties }) => String(properties?.['kind']?.const)).join(', ')
      const described =
        having.length === branches.length
          ? node
          : { ...node, description: `${only}: ${node.description ?? ''}` }
      return rows(`${key}.${name}`, described, having[0]?.required?.includes(name) === true)
    }),
  ]
}

function lowerFirst(text = ''): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function row(key: string, node: SchemaNode, required: boolean): Row {
  const fallback = required
    ? 'must be given'
    : node.default === undefined
      ? 'optional'
      : `\`${JSON.stringify(node.default)}\``
  const list = node.items && !node.items.properties && !node.items.oneOf && !node.expects
  const value = list ? `${expectation(node)}; each ${expectation(node.items)}` : expectation(node)
  return [`\`${key}\``, value, fallback, node.description ?? '']
}

function table(body: readonly Row[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(['Key', 'Value', 'Default', 'Meaning']), '| --- | --- | --- | --- |', ...body.map(line)].join(
    '\n',
  )
}

function errorPage(): string {
  const body = Object.entries(ERRORS).map(([code, entry]): Row => {
    return [`\`${code}\``, String('exit' in entry ? entry.exit : 1), entry.hint, '']
  })
  const line = ([code, exit, hint]: Row): string => `| ${code} | ${exit} | ${hint.replaceAll('|', '\\|')} |`
  return [
    '# Error codes',
    MADE,
    'The exit code is that of a command which ends with the error: 1 failed, 2 usage, 3 bad config, 4 daemon not reachable.',
    ['| Code | Exit | What to do |', '| --- | --- | --- |', ...body.map(line)].join('\n'),
    '',
  ].join('\n\n')
}
