import { createCipheriv, randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { openDatabase } from '../../src/store/database.ts'
import { dayKeysOf } from '../../src/store/day-key.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import { evidenceFilesOf } from '../../src/store/evidence-files.ts'
import { setAsidesOf } from '../../src/store/set-aside.ts'
import { spaceOf } from '../../src/store/space.ts'
import { evidenceFileIn, storeFileIn } from './store.fixture.ts'

const MANIFEST = 0xffff_ffff

/**
 * Makes of a test store one that an earlier version left: chunks and manifests in the database, under the outer layer of that version
 * or without any.
 */
export function makeEarlier(
  folder: string,
  evidence: readonly SealedParts[],
  { at, isLayered }: { readonly at: number; readonly isLayered: boolean },
): void {
  const file = storeFileIn(folder)
  const db = openDatabase({ file, key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  const space = spaceOf(db, file, { files: evidenceFilesOf(file) })
  const day = dayKeysOf(db, file, { space, setAsides: setAsidesOf(file) }).ofDay(at)
  const sequenceOf = db
    .prepare<[string], number>('SELECT sequence FROM evidence WHERE evidence_id = ?')
    .pluck()
  for (const { evidenceId, chunks, manifest } of evidence) {
    const sequence = sequenceOf.get(evidenceId) ?? 0
    const key = randomBytes(32)
    const cover = (bytes: Uint8Array, index: number): Uint8Array => {
      const counter = Buffer.alloc(16)
      counter.writeUInt32BE(index, 8)
      return isLayered ? createCipheriv('aes-256-ctr', key, counter).update(bytes) : bytes
    }
    db.prepare('DELETE FROM chunk WHERE sequence = ?').run(sequence)
    db.prepare('DELETE FROM evidence_key WHERE sequence = ?').run(sequence)
    chunks.forEach((chunk, index) =>
      db.prepare('INSERT INTO chunk VALUES (?, ?, ?)').run(sequence, index, cover(chunk, index)),
    )
    db.prepare('INSERT INTO manifest VALUES (?, ?)').run(sequence, cover(manifest, MANIFEST))
    if (isLayered) {
      const wrapped = wrap(key, day.key, evidenceId)
      db.prepare('INSERT INTO evidence_key VALUES (?, ?, ?)').run(sequence, day.id, wrapped)
    }
    rmSync(evidenceFileIn(folder, evidenceId))
  }
  db.pragma('user_version = 7')
  db.close()
}

function wrap(key: Buffer, dayKey: Buffer, evidenceId: string): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', dayKey, nonce, { authTagLength: 16 }).setAAD(
    Buffer.from(evidenceId),
  )
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
}
