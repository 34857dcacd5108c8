import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { openDatabase } from '../../../src/store/database.ts'
import { MIGRATIONS } from '../../../src/store/migrations.ts'
import { sealedFixture, storeFileIn } from '../../store/store.fixture.ts'

const COUNT = 150

/** Makes a store of the first version, full of evidence of which every third has a hold. Gives what is in it: id and SHA-256. */
export function makeOldStore(folder: string): readonly (readonly [string, string])[] {
  const file = storeFileIn(folder)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const db = openDatabase({ file, key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  const kept = Array.from({ length: COUNT }, () => sealedFixture(3000))
  db.transaction(() => {
    db.exec(MIGRATIONS[0] ?? '')
    db.pragma('user_version = 1')
    for (const [index, { evidenceId, manifest, ciphertextSha256, chunks }] of kept.entries()) {
      const at = 1000 + index
      db.prepare('INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)').run(
        ...[index + 1, evidenceId, 'north', 'bus-stop', at, at, ciphertextSha256, 3000, chunks.length],
      )
      db.prepare('INSERT INTO manifest VALUES (?, ?)').run(index + 1, manifest)
      for (const [at, chunk] of chunks.entries())
        db.prepare('INSERT INTO chunk VALUES (?, ?, ?)').run(index + 1, at, chunk)
      db.prepare('INSERT INTO outbox (sequence, due_at) VALUES (?, ?)').run(index + 1, at)
      if (index % 3 === 0)
        db.prepare("INSERT INTO hold VALUES (?, NULL, 'court order', 'ada', ?)").run(index + 1, at)
    }
    db.prepare('UPDATE meta SET last_sequence = ?').run(COUNT)
  })()
  db.close()
  return kept.map(({ evidenceId, ciphertextSha256 }) => [evidenceId, ciphertextSha256])
}
