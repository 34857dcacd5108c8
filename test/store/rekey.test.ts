import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { leaveWal, openDatabase } from '../../src/store/database.ts'
import { rekeyStore } from '../../src/store/rekey.ts'
import { aboutAt, openTestStore, sealedFixture, storeFileIn } from './store.fixture.ts'

const key = Buffer.alloc(32, 7)
const newKey = Buffer.alloc(32, 8)
const change = { prepare: async () => undefined, record: { keyId: 'x' }, at: 2000 }

await t.test('a store under a new key is whole, private, and no page of it is as it was', async (t) => {
  const folder = t.testdir()
  const file = storeFileIn(folder)
  const sealed = sealedFixture(500_000)
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(1000))
  }
  const before = readFileSync(file)
  await rekeyStore({ file, key, maxSizeMiB: 64 }, newKey, change)
  const after = readFileSync(file)
  for (let at = 0; at < before.length; at += 4096) {
    if (before.subarray(at, at + 4096).equals(after.subarray(at, at + 4096))) t.fail(`page ${at / 4096}`)
  }
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(readdirSync(dirname(file)).sort(), [
    'roadveil.db',
    'roadveil.db.ballast',
    'roadveil.db.days',
    'roadveil.db.evidence',
    'roadveil.db.mark',
  ])
  t.throws(() => openTestStore(folder), { code: 'ERR_STORE_KEY' })
  using store = openTestStore(folder, { key: newKey })
  t.same(store.outbox.chunk(sealed.evidenceId, 0), sealed.chunks[0])
  t.match(store.audit.list(1), [{ kind: 'database-key-rotated', at: 2000, details: { keyId: 'x' } }])
  store.audit.verify()
})

await t.test('a change that fails leaves the old store, and nothing beside it', async (t) => {
  const folder = t.testdir()
  const file = storeFileIn(folder)
  openTestStore(folder)[Symbol.dispose]()
  writeFileSync(`${file}.next`, 'left by an interrupted change')
  const failing = { ...change, prepare: () => Promise.reject(new Error('no')) }
  await t.rejects(rekeyStore({ file, key, maxSizeMiB: 64 }, newKey, failing), { message: 'no' })
  await t.rejects(rekeyStore({ file, key: newKey, maxSizeMiB: 64 }, key, change), { code: 'ERR_STORE_KEY' })
  using store = openTestStore(folder)
  t.equal(store.audit.verify().rows, 0)
  t.notOk(readdirSync(dirname(file)).some((name) => name.includes('.next')))
})

await t.test(
  'who waits for the lock while another file takes its place does not get the old one',
  async (t) => {
    const folder = t.testdir()
    const file = storeFileIn(folder)
    openTestStore(folder)[Symbol.dispose]()
    copyFileSync(file, `${file}.next`)
    const next = openDatabase({ file: `${file}.next`, key, maxSizeMiB: 64 })
    next.exec('CREATE TABLE fresh (x)')
    leaveWal(next)
    next.close()

    const old = openDatabase({ file, key, maxSizeMiB: 64 })
    leaveWal(old)
    const child = spawn(process.execPath, [`${import.meta.dirname}/open-once.fixture.ts`, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = text(child.stdout)
    await once(child.stdout, 'readable')
    // It waits for the lock, for a second at most.
    await sleep(400)
    renameSync(`${file}.next`, file)
    old.close()
    t.match(await said, /^opening (ERR_STORE_LOCKED|fresh)$/)
  },
)
