import t from 'tap'
import { openTestStore } from './store.fixture.ts'

await t.test('what passed the self-test is remembered until something fails it', async (t) => {
  const folder = t.testdir()
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)]
  {
    using store = openTestStore(folder)
    t.equal(store.selftests.passedBy(), null)
    store.selftests.record({ subjectSha256: one, passed: true, at: 5 })
  }
  using store = openTestStore(folder)
  t.equal(store.selftests.passedBy(), one, 'also after a restart')
  store.selftests.record({ subjectSha256: two, passed: false, at: 6 })
  t.equal(store.selftests.passedBy(), null)
  t.same(
    store.audit.list(2).map(({ kind, details }) => [kind, details]),
    [
      ['selftest-failed', { subjectSha256: two }],
      ['selftest-passed', { subjectSha256: one }],
    ],
  )
})
