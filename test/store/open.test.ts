import Database from 'better-sqlite3-multiple-ciphers'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../../src/store/database.ts'
import { aboutAt, openTestStore, sealedFixture, storeFileIn } from './store.fixture.ts'

const key = Buffer.alloc(32, 7)

await t.test('every open sets what keeps acknowledged rows safe and deleted rows gone', async (t) => {
  const file = storeFileIn(t.testdir())
  for (const round of ['new', 'reopened', 'reopened again']) {
    const db = openDatabase({ file, key, maxSizeMiB: 64 })
    const found = Object.fromEntries(
      [
        'journal_mode',
        'synchronous',
        'temp_store',
        'secure_delete',
        'foreign_keys',
        'trusted_schema',
        'cell_size_check',
        'locking_mode',
        'auto_vacuum',
        'wal_autocheckpoint',
        'max_page_count',
        'cipher',
      ].map((name) => [name, db.pragma(name, { simple: true })]),
    )
    t.same(
      found,
      {
        journal_mode: 'wal',
        synchronous: 2,
        temp_store: 2,
        secure_delete: 1,
        foreign_keys: 1,
        trusted_schema: 0,
        cell_size_check: 1,
        locking_mode: 'exclusive',
        auto_vacuum: 2,
        wal_autocheckpoint: 0,
        max_page_count: 64 * 256,
        cipher: 'sqlcipher',
      },
      round,
    )
    db.exec('CREATE TABLE IF NOT EXISTS probe (x)')
    t.notOk(existsSync(`${file}-shm`), 'what the log holds is known in memory only')
    db.close()
  }
})

await t.test('the store and its folder are private', async (t) => {
  const folder = t.testdir()
  using store = openTestStore(folder)
  store.evidence.commit(sealedFixture(), aboutAt(1000))
  t.equal(statSync(join(folder, 'store')).mode & 0o777, 0o700)
  const files = readdirSync(join(folder, 'store')).sort()
  t.same(files, [
    'roadveil.db',
    'roadveil.db-wal',
    'roadveil.db.ballast',
    'roadveil.db.days',
    'roadveil.db.evidence',
    'roadveil.db.head',
    'roadveil.db.mark',
  ])
  const inside = ['roadveil.db.days', 'roadveil.db.evidence'].map((name) => {
    const names = readdirSync(join(folder, 'store', name))
    t.equal(names.length, 1)
    return join(name, ...names)
  })
  for (const file of [...files, ...inside]) {
    const isFolder = /\.(days|evidence)$/.test(file)
    t.equal(statSync(join(folder, 'store', file)).mode & 0o777, isFolder ? 0o700 : 0o600, file)
  }
})

await t.test('a folder that others may enter is refused', async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'store'))
  for (const mode of [0o755, 0o750, 0o701]) {
    chmodSync(join(folder, 'store'), mode)
    t.throws(() => openTestStore(folder), { code: 'ERR_STORE_FOLDER' }, mode.toString(8))
  }
})

await t.test('a wrong key, a plain database and noise are refused and left as they are', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(1000))
  }
  const before = readFileSync(storeFileIn(folder))
  t.throws(() => openTestStore(folder, { key: Buffer.alloc(32, 8) }), { code: 'ERR_STORE_KEY' })
  t.throws(() => openTestStore(folder, { key: Buffer.alloc(16, 7) }), { code: 'ERR_STORE_KEY' })
  t.same(readFileSync(storeFileIn(folder)), before)
  {
    using store = openTestStore(folder)
    t.ok(store.evidence.has(sealed.evidenceId), 'the right key still opens it')
  }

  const plain = t.testdir()
  mkdirSync(dirname(storeFileIn(plain)), { mode: 0o700 })
  const db = new Database(storeFileIn(plain))
  db.exec('CREATE TABLE a (b)')
  db.close()
  t.throws(() => openTestStore(plain), { code: 'ERR_STORE_PLAIN' })
  writeFileSync(storeFileIn(plain), Buffer.alloc(8192, 'noise'))
  t.throws(() => openTestStore(plain), { code: 'ERR_STORE_KEY' })
})

await t.test('two cannot have one store', async (t) => {
  const folder = t.testdir()
  {
    using store = openTestStore(folder)
    t.throws(() => openTestStore(folder), { code: 'ERR_STORE_LOCKED' })
    t.equal(store.evidence.commit(sealedFixture(), aboutAt(1000)), 'stored', 'the first goes on')
  }
  using store = openTestStore(folder)
  t.equal(store.inventory.counts().pending, 1)
})

await t.test('a store of a newer version is not touched', async (t) => {
  const folder = t.testdir()
  openTestStore(folder)[Symbol.dispose]()
  const db = openDatabase({ file: storeFileIn(folder), key, maxSizeMiB: 64 })
  db.pragma('user_version = 99')
  db.close()
  t.throws(() => openTestStore(folder), { code: 'ERR_STORE_VERSION' })
})

await t.test('a damaged page is found when it is read', async (t) => {
  const folder = t.testdir()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealedFixture(), aboutAt(1000))
  }
  const bytes = readFileSync(storeFileIn(folder))
  // Pages 2-20 hold tables of the schema that every open checks.
  for (let page = 2; page < 20; page++) bytes[page * 4096 + 100] = (bytes[page * 4096 + 100] ?? 0) ^ 1
  writeFileSync(storeFileIn(folder), bytes)
  t.throws(() => openTestStore(folder), { code: /^ERR_STORE_(CORRUPT|KEY|IO)$/ })
})
