import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { evidenceFilesOf } from '../../src/store/evidence-files.ts'
import { openSalvaging } from './salvage.fixture.ts'
import {
  aboutAt,
  evidenceFileIn,
  openTestStore,
  receiptFor,
  sealedFixture,
  START,
  storeFileIn,
} from './store.fixture.ts'

await t.test('whatever else lies in the folder keeps the store from nothing', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
  }
  const name = (digit: string): string => join(`${storeFileIn(folder)}.evidence`, digit.repeat(32))
  mkdirSync(name('a'))
  symlinkSync('/nowhere', name('b'))
  symlinkSync(name('c'), name('c'))
  writeFileSync(join(`${storeFileIn(folder)}.evidence`, 'README'), 'what this is')
  utimesSync(name('a'), 1, 1)
  using store = openSalvaging(folder, START + 1)
  store.evidence.commit(sealedFixture(), aboutAt(START))
  store.expiry.deleteSetAsides(START)
  t.same(store.outbox.chunk(sealed.evidenceId, 1), sealed.chunks[1])
  t.notOk(store.failed.aborted)
})

await t.test('a link in the place of a file is no file, and what it leads to stays as it is', async (t) => {
  const folder = t.testdir()
  const [sealed, other] = [sealedFixture(), sealedFixture()]
  using store = openTestStore(folder)
  for (const each of [sealed, other]) store.evidence.commit(each, aboutAt(START))
  const file = evidenceFileIn(folder, sealed.evidenceId)
  rmSync(file)
  writeFileSync(join(folder, 'precious'), 'precious')
  symlinkSync(join(folder, 'precious'), file)
  t.throws(() => store.outbox.chunk(sealed.evidenceId, 0), { code: 'ERR_STORE_CORRUPT' })
  t.notOk(store.failed.aborted, 'reading does not end the store')
  t.same(store.outbox.chunk(other.evidenceId, 0), other.chunks[0])
  t.equal(store.outbox.settle(receiptFor(sealed), START), 'deleted')
  t.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'precious')
  t.notOk(existsSync(file))
})

await t.test('a file that grew is not read into memory', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
    truncateSync(evidenceFileIn(folder, sealed.evidenceId), 5_000_000_000)
    const before = process.memoryUsage.rss()
    t.throws(() => store.outbox.manifest(sealed.evidenceId), { code: 'ERR_STORE_CORRUPT' })
    t.ok(process.memoryUsage.rss() - before < 100_000_000)
  }
  t.throws(() => openTestStore(folder), { code: 'ERR_STORE_CORRUPT' })
})

await t.test(
  'where the whole folder is missing nothing is given up, and all is there when it is back',
  async (t) => {
    const folder = t.testdir()
    const all = [sealedFixture(), sealedFixture()]
    {
      using store = openTestStore(folder)
      for (const sealed of all) store.evidence.commit(sealed, aboutAt(START))
    }
    const evidence = `${storeFileIn(folder)}.evidence`
    renameSync(evidence, join(folder, 'elsewhere'))
    t.throws(() => openSalvaging(folder, START), { code: 'ERR_STORE_EVIDENCE' })
    renameSync(join(folder, 'elsewhere'), evidence)
    {
      using store = openSalvaging(folder, START)
      t.ok(
        all.every(({ evidenceId, chunks }) =>
          Buffer.from(store.outbox.chunk(evidenceId, 0)).equals(chunks[0] ?? Buffer.alloc(0)),
        ),
      )
      t.same(store.damage.setAsides(), [])
    }
    rmSync(evidence, { recursive: true })
    mkdirSync(evidence, { mode: 0o700 })
    using store = openSalvaging(folder, START)
    t.equal(store.damage.setAsides()[0]?.lost.length, 2, 'an empty one says that it is lost')
  },
)

await t.test('a file that cannot be removed keeps nothing else from being delivered', async (t) => {
  const folder = t.testdir()
  const [stuck, other] = [sealedFixture(), sealedFixture()]
  {
    using store = openTestStore(folder)
    for (const sealed of [stuck, other]) store.evidence.commit(sealed, aboutAt(START))
  }
  const file = evidenceFileIn(folder, stuck.evidenceId)
  try {
    execFileSync('chattr', ['+i', file], { stdio: 'ignore' })
  } catch {
    t.comment('no file can be made immutable here')
    return
  }
  try {
    {
      using store = openTestStore(folder)
      t.throws(() => store.outbox.settle(receiptFor(stuck), START), { code: 'ERR_STORE_IO' })
    }
    using store = openSalvaging(folder, START)
    t.equal(store.outbox.settle(receiptFor(other), START), 'deleted')
    t.equal(store.outbox.settle(receiptFor(stuck), START), 'already')
  } finally {
    execFileSync('chattr', ['-i', file])
  }
  using store = openTestStore(folder)
  t.notOk(existsSync(file), 'and goes when it can')
  store.audit.verify()
})

await t.test('what is written anew counts once', async (t) => {
  const files = evidenceFilesOf(join(t.testdir(), 'store.db'))
  files.write('a', [Buffer.alloc(1000)])
  t.equal(files.bytes(), 1000)
  for (let times = 0; times < 3; times++) files.write('a', [Buffer.alloc(2000)])
  t.equal(files.bytes(), 2000)
  files.remove('a')
  t.equal(files.bytes(), 0)
})

await t.test('damaged evidence that was set aside is overwritten when it goes', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
  }
  const bytes = readFileSync(evidenceFileIn(folder, sealed.evidenceId))
  bytes[5] = (bytes[5] ?? 0) ^ 1
  writeFileSync(evidenceFileIn(folder, sealed.evidenceId), bytes)
  writeFileSync(`${storeFileIn(folder)}.distrusted`, '')
  using store = openSalvaging(folder, START)
  const aside = join(`${storeFileIn(folder)}.damaged`, store.damage.setAsides()[0]?.name ?? '')
  const [name = ''] = readdirSync(aside).filter((each) => each.endsWith('.evidence'))
  const descriptor = openSync(join(aside, name), 'r')
  store.expiry.deleteSetAsides(START + 1)
  const left = Buffer.alloc(1000, 1)
  readSync(descriptor, left, 0, left.length, 1000)
  closeSync(descriptor)
  t.ok(left.every((byte) => byte === 0))
  t.notOk(existsSync(aside))
})

await t.test('chunks that could not be found again are not taken', async (t) => {
  using store = openTestStore(t.testdir())
  const sealed = sealedFixture(200_000)
  const [first = Buffer.alloc(0), ...others] = sealed.chunks
  const odd = { ...sealed, chunks: [first.subarray(0, 50_000), first.subarray(50_000), ...others] }
  t.throws(() => store.evidence.commit(odd, aboutAt(START)), TypeError)
  t.notOk(store.evidence.has(sealed.evidenceId))
})
