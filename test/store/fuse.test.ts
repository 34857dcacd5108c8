import Database from 'better-sqlite3-multiple-ciphers'
import t from 'tap'
import { RoadveilError } from '../../src/errors.ts'
import { storeError } from '../../src/store/failure.ts'
import { createFuse } from '../../src/store/fuse.ts'

function part() {
  let calls = 0
  return {
    get calls() {
      return calls
    },
    keep: (): string => {
      calls++
      return 'kept'
    },
    fail: (code: string): never => {
      throw storeError(new Database.SqliteError('disk I/O error', code))
    },
    failLater: async (code: string): Promise<void> => {
      await Promise.resolve()
      throw storeError(new Database.SqliteError('disk I/O error', code))
    },
  }
}

await t.test('after a sync or write that failed, no part of a store can be used', async (t) => {
  for (const code of [
    'SQLITE_IOERR_FSYNC',
    'SQLITE_IOERR_WRITE',
    'SQLITE_IOERR_DIR_FSYNC',
    'SQLITE_READONLY',
  ]) {
    const fuse = createFuse()
    const [one, other] = [part(), part()]
    const [guarded, beside] = [fuse.guard(one), fuse.guard(other)]
    t.equal(beside.keep(), 'kept')
    t.notOk(fuse.blown.aborted)
    t.throws(() => guarded.fail(code), { code: 'ERR_STORE_IO' })
    t.match(fuse.blown.reason, { code: 'ERR_STORE_IO' })
    t.throws(() => beside.keep(), { code: 'ERR_STORE_IO' })
    t.equal(other.calls, 1, 'it is not even tried')
  }
  const fuse = createFuse()
  await t.rejects(fuse.guard(part()).failLater('SQLITE_IOERR_FSYNC'), { code: 'ERR_STORE_IO' })
  t.ok(fuse.blown.aborted)
})

await t.test('a page that cannot be read, or a full disk, leaves the store in use', async (t) => {
  const fuse = createFuse()
  const guarded = fuse.guard(part())
  t.throws(() => guarded.fail('SQLITE_IOERR_READ'), { code: 'ERR_STORE_IO' })
  t.throws(() => guarded.fail('SQLITE_FULL'), { code: 'ERR_STORE_FULL' })
  const unknown = fuse.guard({
    settle: () => {
      throw new RoadveilError('ERR_EVIDENCE_UNKNOWN', 'no such evidence')
    },
  })
  t.throws(() => unknown.settle(), { code: 'ERR_EVIDENCE_UNKNOWN' })
  t.equal(guarded.keep(), 'kept')
  t.notOk(fuse.blown.aborted)
})
