import type { EpochMs } from '../domain/frame.ts'
import type { Audit } from './audit.ts'
import { query, type StoreDatabase, transact } from './database.ts'

/** What last did as well on the built-in clip as the release did, so that it is tried again only when something changes. */
export interface Selftests {
  /** SHA-256 of software version and networks; null where nothing has passed. */
  passedBy(): string | null
  /** Records how a self-test went; one that failed forgets what passed before. */
  record(test: { readonly subjectSha256: string; readonly passed: boolean; readonly at: EpochMs }): void
}

export function selftestsOf(db: StoreDatabase, audit: Audit): Selftests {
  const read = db.prepare<[], { passedBy: string | null }>('SELECT selftest_passed_by AS passedBy FROM meta')
  const write = db.prepare<[string | null]>('UPDATE meta SET selftest_passed_by = ?')

  return {
    passedBy: () => query(() => read.get())?.passedBy ?? null,
    record({ subjectSha256, passed, at }) {
      transact(db, () => {
        write.run(passed ? subjectSha256 : null)
        audit.append(passed ? 'selftest-passed' : 'selftest-failed', { subjectSha256 }, at)
      })
    },
  }
}
