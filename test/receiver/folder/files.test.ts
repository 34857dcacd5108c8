import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { replaceFile, writeFolder } from '../../../src/receiver/folder/files.ts'
import { replaceFile as replaceStoreFile } from '../../../src/store/sync.ts'

const TIMES = 100

await t.test('two processes write the same file at once, and neither disturbs the other', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'city', 'answer.json')
  const program = join(import.meta.dirname, 'replace.fixture.ts')
  const others = [1, 2].map((name) => fork(program, [file, join(folder, 'head'), `${name}`, `${TIMES}`]))
  const codes = await Promise.all(others.map(async (other) => (await once(other, 'exit'))[0] as unknown))
  t.same(codes, [0, 0])
  t.match(readFileSync(file, 'utf8'), /^[12]$/)
  t.same(readdirSync(join(folder, 'city')), ['answer.json'])
  t.same(readdirSync(folder).sort(), ['city', 'head'])
})

await t.test('what a writer that was killed left is removed an hour later, and not before', async (t) => {
  const writers = {
    file: (folder: string) => replaceFile(join(folder, 'b.json'), Buffer.from('b')),
    folder: (folder: string) => writeFolder(join(folder, 'b'), [{ name: 'c', bytes: Buffer.from('c') }]),
    'file of the store': async (folder: string) => replaceStoreFile(join(folder, 'b'), Buffer.from('b')),
  }
  for (const [name, write] of Object.entries(writers)) {
    const folder = t.testdir()
    const old = ['a.json.0123456789ab.new', '.a.0123456789ab.new']
    const young = ['b.json.ba9876543210.new']
    mkdirSync(join(folder, old[1] ?? ''))
    for (const each of [old[0] ?? '', ...young, 'mine.new']) writeFileSync(join(folder, each), '')
    const before = Date.now() / 1000 - 3_700
    for (const each of [...old, 'mine.new']) utimesSync(join(folder, each), before, before)
    await write(folder)
    const left = readdirSync(folder).sort()
    t.same(
      left.filter((each) => each.endsWith('.new')),
      [...young, 'mine.new'],
      name,
    )
    t.equal(left.length, 3, name)
  }
})

await t.test('a file that could not be written leaves nothing behind', async (t) => {
  const folder = t.testdir({ 'a.json': {}, store: {} })
  await t.rejects(replaceFile(join(folder, 'a.json'), Buffer.from('a')), { code: 'ERR_OUTPUT_FAILED' })
  t.throws(() => replaceStoreFile(join(folder, 'store'), Buffer.from('a')), { code: 'EISDIR' })
  t.same(readdirSync(folder).sort(), ['a.json', 'store'])
})
