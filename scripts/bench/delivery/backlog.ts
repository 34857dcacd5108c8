import { auditOf } from '../../../src/store/audit.ts'
import { type DatabaseFile, openDatabase } from '../../../src/store/database.ts'
import { dayKeysOf } from '../../../src/store/day-key.ts'
import { evidenceShelf, type SealedParts } from '../../../src/store/evidence.ts'
import { evidenceFilesOf } from '../../../src/store/evidence-files.ts'
import { openStore } from '../../../src/store/open.ts'
import { outerLayerOf } from '../../../src/store/outer-layer.ts'
import { setAsidesOf } from '../../../src/store/set-aside.ts'
import { spaceOf } from '../../../src/store/space.ts'

/** Evidence in one transaction: each by itself, as the box does it, would take minutes. */
const BATCH = 200

/** Stores a backlog as the box would have left it. `next` gives one evidence after the other. */
export async function storeBacklog(
  file: DatabaseFile & { readonly deviceId: string },
  count: number,
  next: (index: number) => Promise<SealedParts>,
): Promise<void> {
  const about = { camera: 'bus-stop', ruleId: 'rule', judgedAt: Date.now(), at: Date.now() }
  {
    // Makes the store, and with the first evidence the key of the day, which must not be made inside a transaction.
    using store = openStore(file)
    store.evidence.commit(await next(0), about)
  }
  const db = openDatabase(file)
  try {
    const audit = auditOf(db)
    const files = evidenceFilesOf(file.file)
    const space = spaceOf(db, file.file, { files })
    const layer = outerLayerOf(db, dayKeysOf(db, file.file, { space, setAsides: setAsidesOf(file.file) }))
    const none = (): void => undefined
    const shelf = evidenceShelf(db, { audit, space, layer, files, marked: none, afterwards: none })
    for (let from = 1; from < count; from += BATCH) {
      const batch: SealedParts[] = []
      for (let index = from; index < Math.min(from + BATCH, count); index++) batch.push(await next(index))
      db.transaction(() => {
        for (const sealed of batch) shelf.commit(sealed, about)
      })()
      space.checkpoint()
    }
  } finally {
    db.close()
  }
}
