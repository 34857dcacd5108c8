import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isRoadveilError } from '../../src/errors.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import type { Store } from '../../src/store/open.ts'
import { keptLog } from '../support/kept-log.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture, storeFileIn } from './store.fixture.ts'

function fill(store: Store, bytes: number): { readonly stored: SealedParts[]; readonly code: unknown } {
  const stored: SealedParts[] = []
  for (;;) {
    const sealed = sealedFixture(bytes)
    try {
      store.evidence.commit(sealed, aboutAt(1000))
    } catch (error) {
      return { stored, code: isRoadveilError(error) ? error.code : error }
    }
    stored.push(sealed)
  }
}

await t.test(
  'a store that has reached its size takes no more, loses nothing, and still settles',
  async (t) => {
    const folder = t.testdir()
    using store = openTestStore(folder, { maxSizeMiB: 8 })
    const { stored, code } = fill(store, 500_000)
    t.equal(code, 'ERR_STORE_FULL')
    t.ok(stored.length > 10, `${stored.length} stored`)
    store.evidence.recordDiscarded(
      { evidenceId: 'e', camera: 'c', ruleId: 'r', judgedAt: 'x', code: 'ERR_X' },
      1500,
    )
    for (const sealed of stored) {
      t.same(store.outbox.chunk(sealed.evidenceId, 5), sealed.chunks[5])
      t.equal(store.outbox.settle(receiptFor(sealed), 2000), 'deleted')
    }
    t.equal(store.evidence.commit(sealedFixture(500_000), aboutAt(3000)), 'stored', 'there is room again')
    store.audit.verify()
  },
)

await t.test('on a full disk receipts still delete, and the ballast comes back with the space', async (t) => {
  const folder = t.testdir()
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=80m', 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    t.comment('a small file system cannot be mounted here')
    return
  }
  try {
    fillAndSettle(t, disk)
  } finally {
    execFileSync('umount', [disk])
  }
})

function fillAndSettle(t: Test, disk: string): void {
  const ballast = `${storeFileIn(disk)}.ballast`
  const log = keptLog()
  using store = openTestStore(disk, { logger: log })
  t.ok(existsSync(ballast))
  const { stored, code } = fill(store, 5_000_000)
  t.equal(code, 'ERR_STORE_FULL')
  const whole = statSync(ballast).size
  for (const sealed of stored) {
    // Another program takes the very last byte, and what each receipt gives back as well.
    takeTheRest(disk)
    t.equal(store.outbox.settle(receiptFor(sealed), 2000), 'deleted')
  }
  t.ok(
    log.lines.some(({ message }) => message.includes('gives up ballast')),
    'the ballast was needed',
  )
  rmSync(join(disk, 'other'))
  while (store.expiry.compact());
  t.equal(statSync(ballast).size, whole, 'and is back')
  store.audit.verify()
}

function takeTheRest(disk: string): void {
  try {
    for (;;) appendFileSync(join(disk, 'other'), Buffer.alloc(1_000_000))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
