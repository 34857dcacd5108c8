import { cpSync, existsSync, rmSync, utimesSync } from 'node:fs'
import t from 'tap'
import type { Store } from '../../src/store/open.ts'
import { openSalvaging } from './salvage.fixture.ts'
import {
  aboutAt,
  DAY,
  evidenceFileIn,
  isReadable,
  openTestStore,
  receiptFor,
  sealedFixture,
  START,
  storeFileIn,
} from './store.fixture.ts'

/** An old copy of the database is put in the place of the latest one, by itself, and perhaps the latest once more. */

/** Keeps the database as it is now. Returns what puts it back, and leaves everything else. */
function keepCopy(folder: string, name: string): () => void {
  const file = storeFileIn(folder)
  const copy = `${folder}/${name}`
  cpSync(file, copy)
  return () => {
    for (const suffix of ['', '-wal']) rmSync(`${file}${suffix}`, { force: true })
    cpSync(copy, file)
  }
}

function use(folder: string, work: (store: Store) => void): void {
  using store = openTestStore(folder)
  work(store)
}

function purge(store: Store, at: number): void {
  store.expiry.deleteDelivered(at)
  store.expiry.deleteSetAsides(at - 30 * DAY)
  store.expiry.destroyDayKeys(at)
}

await t.test('what only the latest database knows survives the purges of an old copy', async (t) => {
  const folder = t.testdir()
  const [old, later, sameDay] = [sealedFixture(), sealedFixture(), sealedFixture()]
  use(folder, (store) => store.evidence.commit(old, aboutAt(START)))
  const putOldBack = keepCopy(folder, 'old')
  use(folder, (store) => {
    store.evidence.commit(sameDay, aboutAt(START + 1))
    store.evidence.commit(later, aboutAt(START + DAY))
  })
  const putLatestBack = keepCopy(folder, 'latest')
  // A long outage: it was written long ago.
  const [then, now] = [START / 1000, START + 50 * DAY]
  utimesSync(evidenceFileIn(folder, later.evidenceId), then, then)
  putOldBack()
  for (let start = 0; start < 3; start++) {
    using store = openSalvaging(folder, now + start)
    store.outbox.settle(receiptFor(old), now)
    purge(store, now + start)
  }
  putLatestBack()
  using store = openSalvaging(folder, now + 10)
  t.ok(isReadable(store, later) && isReadable(store, sameDay))
})

await t.test(
  'also where the old copy is salvaged, since the city has what it still waits with',
  async (t) => {
    const folder = t.testdir()
    const [confirmed, later] = [sealedFixture(), sealedFixture()]
    use(folder, (store) => store.evidence.commit(confirmed, aboutAt(START)))
    const putOldBack = keepCopy(folder, 'old')
    use(folder, (store) => {
      store.evidence.commit(later, aboutAt(START + 1))
      store.outbox.settle(receiptFor(confirmed), START + 2)
    })
    const putLatestBack = keepCopy(folder, 'latest')
    putOldBack()
    {
      using store = openSalvaging(folder, START + 3)
      t.match(store.damage.setAsides(), [{ lost: [confirmed.evidenceId] }])
      purge(store, START + 3)
    }
    putLatestBack()
    using store = openSalvaging(folder, START + 4)
    t.ok(isReadable(store, later))
  },
)

await t.test(
  'holds that an old copy does not know are not lost: everything is held until a person has looked',
  async (t) => {
    for (const isSalvaged of [false, true]) {
      const folder = t.testdir()
      const [held, other] = [sealedFixture(), sealedFixture()]
      use(folder, (store) => {
        store.evidence.commit(held, aboutAt(START))
        store.evidence.commit(other, aboutAt(START))
      })
      const putOldBack = keepCopy(folder, 'old')
      use(folder, (store) => {
        store.holds.place(held.evidenceId, { reason: 'court', by: 'officer', at: START })
        if (isSalvaged) store.outbox.settle(receiptFor(other), START + 1)
      })
      putOldBack()
      using store = openSalvaging(folder, START + 3)
      t.equal(store.damage.setAsides().length, isSalvaged ? 1 : 0)
      t.equal(store.outbox.settle(receiptFor(held), START + 4), 'held')
      t.equal(store.expiry.deleteDelivered(START + 4), 0)
      const cases = store.holds.list().map(({ caseNumber }) => caseNumber)
      t.match(cases, [/^rollback-2026-03-01T08/], 'once')
      t.equal(store.holds.list()[0]?.by, 'roadveil')
      t.equal(store.damage.holdsEverything(), cases[0])
      store.holds.releaseCase(cases[0] ?? '', { reason: 'looked at', by: 'officer', at: START + 5 })
      t.equal(store.damage.holdsEverything(), undefined)
      t.equal(store.expiry.deleteDelivered(START + 5), 1)
    }
  },
)

await t.test(
  'what an interrupted commit has left is removed by the next start, where nothing is in doubt',
  async (t) => {
    const folder = t.testdir()
    use(folder, (store) => store.evidence.commit(sealedFixture(), aboutAt(START)))
    const stray = evidenceFileIn(folder, 'never acknowledged')
    cpSync(storeFileIn(folder), stray)
    const soon = Date.now() / 1000 + 1
    utimesSync(stray, soon, soon)
    use(folder, () => undefined)
    t.notOk(existsSync(stray))
  },
)
