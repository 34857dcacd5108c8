import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createCityIdentity } from '../../src/sealing/identity.ts'
import { sealEvidence } from '../../src/sealing/seal.ts'
import { evidenceFixture } from '../sealing/evidence.fixture.ts'
import { signingKeyFixture } from '../sealing/keys.fixture.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture } from './store.fixture.ts'

const PLATE = 'QX7PLATE'
const REASON = 'reason-that-names-a-case'

await t.test('neither plates nor ids nor reasons stand in any file of the store', async (t) => {
  const folder = t.testdir()
  using store = openTestStore(folder)
  const recipients = {
    operational: (await createCityIdentity()).recipient,
    recovery: (await createCityIdentity()).recipient,
  }
  const sealed = await sealEvidence(evidenceFixture({ plate: PLATE }), {
    signingKey: signingKeyFixture(),
    recipients,
    sealedAt: 1000,
  })
  store.evidence.commit(sealed, aboutAt(1000))
  store.holds.place(sealed.evidenceId, { reason: REASON, by: 'officer', at: 1000 })
  const search = (): void => {
    const names = readdirSync(join(folder, 'store'), { recursive: true, encoding: 'utf8' })
    const files = names.filter((name) => statSync(join(folder, 'store', name)).isFile())
    for (const file of files) {
      const text = file + readFileSync(join(folder, 'store', file)).toString('latin1')
      for (const secret of [PLATE, REASON, sealed.evidenceId, 'bus-stop', 'CREATE TABLE', 'SQLite format']) {
        t.notOk(text.includes(secret), `${secret} in ${file}`)
      }
    }
  }
  search()
  store.outbox.settle(receiptFor(sealed), 2000)
  search()
})

await t.test('what was deleted is given back to the file system', async (t) => {
  const folder = t.testdir()
  using store = openTestStore(folder)
  const all = Array.from({ length: 10 }, () => sealedFixture(1_000_000))
  for (const sealed of all) store.evidence.commit(sealed, aboutAt(1000))
  const names = (): string[] => readdirSync(join(folder, 'store', 'roadveil.db.evidence'))
  const size = (): number =>
    ['roadveil.db', ...names().map((name) => join('roadveil.db.evidence', name))]
      .map((name) => statSync(join(folder, 'store', name)).size)
      .reduce((a, b) => a + b)
  t.ok(size() > 10_000_000)
  for (const sealed of all) {
    store.outbox.settle(receiptFor(sealed), 2000)
    t.equal(statSync(join(folder, 'store', 'roadveil.db-wal')).size, 0, 'the log keeps nothing of it')
  }
  while (store.expiry.compact());
  t.ok(size() < 300_000, `${size()} bytes are left`)
})
