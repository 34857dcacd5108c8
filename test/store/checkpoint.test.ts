import { join } from 'node:path'
import t from 'tap'
import { MAX_CHECKPOINT_MARKS } from '../../src/protocol/limits.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Store } from '../../src/store/open.ts'
import { openTestStore, storeFileIn } from './store.fixture.ts'

interface Standing {
  readonly logId: string
  readonly head: { readonly sequence: number }
  readonly marks: readonly { readonly sequence: number; readonly hash: string }[]
}

/** Takes a checkpoint and returns what would have been signed. */
function issue(store: Store, at = 1000): Standing {
  let standing: Standing | undefined
  store.checkpoints.issue((told) => {
    standing = told
    return Buffer.from('envelope')
  }, at)
  if (!standing) throw new Error('nothing was signed')
  return standing
}

function record(store: Store, count = 1): void {
  for (let i = 0; i < count; i++) store.audit.record('vault-started', {}, 1000)
}

await t.test('a checkpoint names those before it, and outlives a restart', async (t) => {
  const folder = t.testdir()
  let logId = ''
  {
    using store = openTestStore(folder)
    t.equal(store.checkpoints.latest(), undefined)
    for (let i = 0; i < MAX_CHECKPOINT_MARKS + 5; i++) {
      record(store, 2)
      logId = issue(store).logId
    }
  }
  using store = openTestStore(folder)
  t.match(logId, /^[0-9a-f]{32}$/)
  t.equal(store.checkpoints.list().length, MAX_CHECKPOINT_MARKS)
  record(store)
  const last = store.checkpoints.latest()
  const standing = issue(store)
  t.equal(standing.logId, logId)
  t.equal(standing.marks.length, MAX_CHECKPOINT_MARKS)
  t.equal(standing.marks.at(-1)?.sequence, last?.sequence)
  t.equal(standing.head.sequence, (last?.sequence ?? 0) + 1)
})

await t.test('what cannot be signed leaves no trace', async (t) => {
  using store = openTestStore(t.testdir())
  record(store)
  t.throws(() =>
    store.checkpoints.issue(() => {
      throw new Error('no key')
    }, 1000),
  )
  t.same(store.checkpoints.list(), [])
})

await t.test('a log that was rewritten behind its checkpoints shows it in the next one', async (t) => {
  const folder = t.testdir()
  {
    using store = openTestStore(folder)
    record(store, 5)
    issue(store)
    record(store, 5)
    issue(store)
  }
  const db = openDatabase({ file: storeFileIn(folder), key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  db.exec(`UPDATE audit SET hash = '${'b'.repeat(64)}' WHERE sequence = 5; DELETE FROM audit WHERE sequence > 8;
    UPDATE meta SET audit_head_sequence = 8, audit_head_hash = '${'c'.repeat(64)}'`)
  db.close()
  using store = openTestStore(folder)
  t.match(issue(store), {
    head: { sequence: 8 },
    marks: [{ sequence: 5, hash: 'b'.repeat(64) }],
  })
  t.same(
    store.checkpoints.list().map(({ sequence }) => sequence),
    [5, 8],
  )
})

await t.test('each new database is another log', async (t) => {
  const folder = t.testdir()
  using one = openTestStore(join(folder, 'one'))
  const first = one.audit.ends().logId
  using two = openTestStore(join(folder, 'two'))
  t.not(two.audit.ends().logId, first)
})
