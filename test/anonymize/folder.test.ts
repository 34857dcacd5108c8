import { spawnSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lockFolder } from '../../src/anonymize/lock.ts'
import { halves, run } from './files.ts'

const picture = await halves(64, 48, 'red', 'blue').jpeg().toBuffer()
const other = await halves(64, 48, 'green', 'white').jpeg().toBuffer()

await t.test('a folder keeps its structure, and nothing is done twice', async (t) => {
  const folder = t.testdir({ in: { below: {} } })
  const [source, out] = [join(folder, 'in'), join(folder, 'out')]
  writeFileSync(join(source, 'a.jpg'), picture)
  writeFileSync(join(source, 'below/b.JPG'), picture)
  writeFileSync(join(source, 'notes.txt'), 'x')
  writeFileSync(join(source, '.hidden.jpg'), 'x')
  t.match((await run([source], out)).outcome, { anonymized: 2, unchanged: 0, leftOut: 2, failures: [] })
  const made = statSync(join(out, 'below/b.JPG'))
  t.equal(made.mode & 0o777, 0o600)

  t.match((await run([source], out)).outcome, { anonymized: 0, unchanged: 2 }, 'all is done')
  t.same(statSync(join(out, 'below/b.JPG')).mtimeMs, made.mtimeMs)

  writeFileSync(join(source, 'a.jpg'), other)
  t.match(
    (await run([source], out)).outcome,
    { anonymized: 1, unchanged: 1 },
    'a changed input is done again',
  )
  t.match(
    (await run([source], out, { options: { style: 'blur' } })).outcome,
    { anonymized: 2 },
    'other options, too',
  )
  renameSync(join(out, 'a.jpg'), join(folder, 'taken.jpg'))
  t.match((await run([source], out, { options: { style: 'blur' } })).outcome, { anonymized: 1, unchanged: 1 })
})

await t.test('neither an input nor a file of somebody else is ever overwritten', async (t) => {
  const folder = t.testdir({ in: {}, out: {}, linked: {} })
  const [source, out] = [join(folder, 'in'), join(folder, 'out')]
  const original = join(source, 'a.jpg')
  writeFileSync(original, picture)
  await t.rejects(run([source], source), { code: 'ERR_OUTPUT_IS_INPUT' })
  t.same((await run([original], source)).codes, { 'a.jpg': 'ERR_OUTPUT_IS_INPUT' })

  symlinkSync(original, join(out, 'a.jpg'))
  t.same((await run([original], out)).codes, { 'a.jpg': 'ERR_OUTPUT_IS_INPUT' }, 'a link to the input')
  linkSync(original, join(folder, 'linked/a.jpg'))
  t.same((await run([original], join(folder, 'linked'))).codes, { 'a.jpg': 'ERR_ALREADY_THERE' }, 'its twin')

  writeFileSync(join(source, 'b.jpg'), picture)
  writeFileSync(join(out, 'b.jpg'), other)
  t.same(
    (await run([join(source, 'b.jpg')], out)).codes,
    { 'b.jpg': 'ERR_ALREADY_THERE' },
    'a file of somebody else',
  )
  await run([original], join(folder, 'mine'))
  writeFileSync(join(folder, 'mine/a.jpg'), other)
  t.same(
    (await run([original], join(folder, 'mine'))).codes,
    { 'a.jpg': 'ERR_ALREADY_THERE' },
    'one that was changed',
  )
  t.same(readFileSync(original), picture)
  t.same(readFileSync(join(out, 'b.jpg')), other)
  await t.rejects(run([original], out, { report: original }), { code: 'ERR_OUTPUT_IS_INPUT' })
})

await t.test('an output folder inside the input is no input', async (t) => {
  const folder = t.testdir({ in: { a: {}, b: {} } })
  const source = join(folder, 'in')
  for (const name of ['a/x.jpg', 'b/x.jpg']) writeFileSync(join(source, name), picture)
  const out = join(source, 'out')
  t.match((await run([source], out)).outcome, { anonymized: 2 })
  t.match((await run([source], out)).outcome, { anonymized: 0, unchanged: 2 })
})

await t.test(
  'inputs that would have one name in the output are refused before anything is written',
  async (t) => {
    const folder = t.testdir({ a: {}, b: {} })
    const [a, b, out] = ['a', 'b', 'out'].map((name) => join(folder, name))
    if (!a || !b || !out) throw new RangeError('three names')
    for (const source of [a, b]) writeFileSync(join(source, 'x.jpg'), picture)
    writeFileSync(join(b, 'y.jpg'), picture)
    await t.rejects(run([join(b, 'y.jpg'), a, b], out), {
      code: 'ERR_OUTPUT_TWICE',
      message: /a\/x\.jpg and .*b\/x\.jpg/,
    })
    t.same(readdirSync(out, { recursive: true }), ['.roadveil-anonymize'])
    const twice = await run([a, join(a, 'x.jpg')], out)
    t.match(twice.outcome, { anonymized: 1, failures: [] }, 'what is named twice is done once')
  },
)

await t.test('one run at a time writes into a folder', async (t) => {
  const folder = t.testdir({ in: {}, out: { '.roadveil-anonymize': {} } })
  const [source, out] = [join(folder, 'in'), join(folder, 'out')]
  writeFileSync(join(source, 'a.jpg'), picture)
  {
    await using lock = new AsyncDisposableStack()
    lock.use(await lockFolder(join(out, '.roadveil-anonymize')))
    await t.rejects(run([source], out), { code: 'ERR_OUTPUT_BUSY' })
  }
  t.match((await run([source], out)).outcome, { anonymized: 1 })
})

await t.test("a plate's text is not in what is kept, and what was made with one is made anew", async (t) => {
  const folder = t.testdir({ in: {} })
  const [source, out] = [join(folder, 'in'), join(folder, 'out')]
  writeFileSync(join(source, 'a.jpg'), picture)
  const options = { keptVehicle: { text: 'ABC123' } }
  const madeWith = async (): Promise<string> => {
    t.match((await run([source], out, { options })).outcome, { anonymized: 1, unchanged: 0 })
    const mark = readFileSync(join(out, '.roadveil-anonymize/a.jpg.json'), 'utf8')
    return (JSON.parse(mark) as { madeWith: string }).madeWith
  }
  t.not(await madeWith(), await madeWith(), 'the same text gives another hash')
})

await t.test(
  'the part of a report that a killed run left is taken away, that of a living one stays',
  async (t) => {
    const folder = t.testdir({ in: {} })
    writeFileSync(join(folder, 'in/a.jpg'), picture)
    const { pid } = spawnSync('true')
    const part = (owner: number): string => `.${owner}.roadveil-report.part`
    for (const owner of [pid, process.ppid]) writeFileSync(join(folder, part(owner)), 'half')
    await run([join(folder, 'in')], join(folder, 'out'), { report: join(folder, 'report.json') })
    t.same(readdirSync(folder).sort(), [part(process.ppid), 'in', 'out', 'report.json'])
  },
)

await t.test('a stopped batch says so, keeps what is finished and leaves nothing half done', async (t) => {
  const folder = t.testdir({ in: {} })
  const [source, out] = [join(folder, 'in'), join(folder, 'out')]
  for (const name of ['a.jpg', 'b.jpg']) writeFileSync(join(source, name), picture)
  const report = join(folder, 'report.json')
  const stop = new AbortController()
  stop.abort()
  await t.rejects(run([source], out, { report, signal: stop.signal }), { code: 'ERR_ANONYMIZE_STOPPED' })
  t.notOk(existsSync(report))
  t.notOk(existsSync(join(out, 'a.jpg')))
  // What a killed run leaves behind is in nobody's way.
  mkdirSync(join(out, '.roadveil-anonymize'), { recursive: true })
  writeFileSync(join(out, '.roadveil-anonymize/a.jpg.part'), 'half')
  t.match((await run([source], out)).outcome, { anonymized: 2 })
  t.notOk(existsSync(join(out, '.roadveil-anonymize/a.jpg.part')))
})
