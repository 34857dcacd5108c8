import { closeSync, createReadStream, openSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { type AuditDetails, auditOf } from './audit.ts'
import { type DatabaseFile, leaveWal, openDatabase, rekeyCopy, type StoreDatabase } from './database.ts'
import { fileError } from './failure.ts'
import { dropHead } from './head.ts'
import { migrate } from './migrations.ts'
import { sync } from './sync.ts'

/** The copy, and the journal that the library keeps while it encrypts every page of it anew. */
const ROOM = 2
const DISK_RESERVE_BYTES = 8 * 1024 * 1024

/**
 * Puts a store under another key. A copy is made, put under the new key, checked as a whole and recorded in its audit log; then it
 * takes the place of the old file in one step. Whatever interrupts this, the file is whole and opens with one of the two keys: both
 * must be safe before. The old file is held locked until the new one has its place.
 *
 * @param prepare called with the store locked and its key proven, before anything depends on the new key: to make both keys safe.
 * @throws what `openDatabase` throws, ERR_STORE_FULL when there is no room for the copy; the old file is in place then.
 */
export async function rekeyStore(
  store: DatabaseFile,
  newKey: Buffer,
  {
    prepare,
    record,
    at,
  }: { readonly prepare: () => Promise<void>; readonly record: AuditDetails; readonly at: EpochMs },
): Promise<void> {
  const { file } = store
  const copy = `${file}.next`
  const old = openDatabase(store)
  // Closing any descriptor of a file gives the process's locks on it away (POSIX): this one is closed last.
  const source = openSync(file, 'r')
  try {
    migrate(old)
    dropCopy(copy)
    leaveWal(old)
    demandRoom(file)
    await prepare()
    await writeFile(copy, createReadStream(file, { fd: source, start: 0, autoClose: false }), { mode: 0o600 })
    rekeyCopy(copy, store.key, newKey)
    finishCopy({ ...store, file: copy, key: newKey }, record, at)
    dropHead(file)
    renameSync(copy, file)
    sync(dirname(file))
  } catch (error) {
    dropCopy(copy)
    throw fileError(error, 'the store could not be copied')
  } finally {
    old.close()
    closeSync(source)
  }
}

/** Throws away what an interrupted change of key left. */
export function dropCopy(copy: string): void {
  for (const suffix of ['', '-journal', '-wal']) rmSync(`${copy}${suffix}`, { force: true })
}

/** Reads every page under the new key, so that nothing is given up for a copy that is not whole. */
function finishCopy(copy: DatabaseFile, record: AuditDetails, at: EpochMs): void {
  const db = openDatabase(copy)
  try {
    checkWhole(db)
    auditOf(db).record('database-key-rotated', record, at)
    leaveWal(db)
  } finally {
    db.close()
  }
  sync(copy.file)
}

function checkWhole(db: StoreDatabase): void {
  const found = db.pragma('quick_check', { simple: true })
  if (found !== 'ok') throw new RoadveilError('ERR_STORE_CORRUPT', 'the store is damaged')
}

function demandRoom(file: string): void {
  const { bavail, bsize } = statfsSync(dirname(file))
  const needed = ROOM * statSync(file).size + DISK_RESERVE_BYTES
  if (bavail * bsize >= needed) return
  throw new RoadveilError('ERR_STORE_FULL', `the disk has no ${needed} bytes for a copy under the new key`)
}
