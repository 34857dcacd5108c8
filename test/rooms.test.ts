import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

/** From the ground up: a room imports only from rows below its own, never from a neighbour in its row. */
const ROWS: readonly (readonly string[])[] = [
  ['scrub', 'version', 'waiting', 'temporary', 'byte-reader', 'domain', 'errors'],
  ['log'],
  ['config-file'],
  ['config'],
  ['protocol', 'models'],
  ['camera', 'detection', 'tracking', 'rules', 'plates', 'privacy', 'sealing', 'store', 'health'],
  ['retention', 'delivery', 'evidence', 'channel'],
  ['vision', 'vault', 'receiver', 'trial', 'anonymize'],
  ['doctor'],
  ['cli'],
]

/** Rooms with a list of their own, which is stricter than their row. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  receiver: [
    'config-file',
    'domain',
    'errors',
    'log',
    'protocol',
    'sealing',
    'scrub',
    'temporary',
    'waiting',
  ],
  trial: ['domain', 'errors', 'protocol', 'sealing'],
}

interface Import {
  readonly file: string
  readonly from: string
  readonly to: string
  readonly names: string
}

const src = resolve(import.meta.dirname, '..', 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
const imports = files.flatMap(importsOf)

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  const found = text.matchAll(
    /\b(?:import|export)\b([^'"`;]*?)\bfrom\s*'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)/g,
  )
  return [...found].map(([, names = '', fixed, dynamic]) => {
    const target = relative(src, resolve(src, dirname(file), fixed ?? dynamic ?? ''))
    return { file, from: roomOf(file), to: roomOf(target), names }
  })
}

function roomOf(file: string): string {
  return (file.split('/')[0] ?? '').replace(/\.ts$/, '')
}

function rowOf(room: string): number {
  return ROWS.findIndex((row) => row.includes(room))
}

await t.test('every room has its place', async (t) => {
  t.ok(imports.length > 50, 'imports are found')
  for (const room of new Set(files.map(roomOf))) t.ok(rowOf(room) >= 0, `${room} stands in a row`)
})

await t.test('imports go down only, and neighbours do not import each other', async (t) => {
  const wrong = imports.filter(
    ({ from, to }) => from !== to && rowOf(to) >= rowOf(from) && !(rowOf(from) === 0),
  )
  t.strictSame(wrong, [])
})

await t.test('rooms with a list of their own keep to it', async (t) => {
  for (const [room, allowed] of Object.entries(ONLY)) {
    const wrong = imports.filter(({ from, to }) => from === room && to !== room && !allowed.includes(to))
    t.strictSame(wrong, [], room)
  }
})

await t.test(
  'pixels enter through camera/ or from files that are to be anonymized, and leave through privacy/ only',
  async (t) => {
    const users = (name: string) => [
      ...new Set(
        files
          .filter((file) => new RegExp(`\\b${name}\\(`).test(readFileSync(join(src, file), 'utf8')))
          .map(roomOf),
      ),
    ]
    for (const name of ['redactedImage', 'redactedVideoFrame'])
      t.strictSame(users(name).sort(), ['domain', 'privacy'], name)
    const bringing = [...users('rawFrame'), ...users('rawVideoFrame')].filter((room) => room !== 'domain')
    t.ok(
      bringing.every((room) => ['camera', 'evidence', 'anonymize'].includes(room)),
      bringing.join(', '),
    )
  },
)

await t.test('vision never reaches keys, store or network, and vault never a pixel', async (t) => {
  const vision = new Set([...reach('vision/vision.ts'), ...reach('vision/evidence-worker.ts')])
  for (const name of [
    'sealing',
    'store',
    'delivery',
    'retention',
    'protocol',
    'vault',
    'mqtt',
    'age-encryption',
  ]) {
    t.notOk(vision.has(name), name)
  }
  const vault = reach('vault/vault.ts')
  for (const name of [
    'camera',
    'detection',
    'tracking',
    'privacy',
    'plates',
    'vision',
    'sharp',
    'onnxruntime-node',
  ]) {
    t.notOk(vault.has(name), name)
  }
  t.ok(
    vision.has('camera') && vision.has('sharp') && vault.has('store') && vault.has('mqtt'),
    'the search finds what is there',
  )
})

/** The rooms and packages that a file loads when it runs, itself or through others. */
function reach(start: string): Set<string> {
  const seen = new Set<string>()
  const found = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file) || !existsSync(join(src, file))) return
    seen.add(file)
    found.add(roomOf(file))
    const text = readFileSync(join(src, file), 'utf8')
    for (const [, target = ''] of text.matchAll(/^(?:import|export) (?!type\b)[^'"`;]*?\bfrom '([^']+)'/gm)) {
      if (target.startsWith('.')) visit(relative(src, resolve(src, dirname(file), target)))
      else found.add(target)
    }
  }
  visit(start)
  return found
}
