import Database from 'better-sqlite3-multiple-ciphers'
import { chmodSync, closeSync, existsSync, lstatSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { fileError, storeError } from './failure.ts'
import { makeFolder, rewrite, sync } from './sync.ts'

export type StoreDatabase = Database.Database

/** The database as it is on the disk. */
export interface DatabaseFile {
  /** Absolute. Its folder has mode 0700 and is made if it is missing. */
  readonly file: string
  /** 32 bytes. */
  readonly key: Buffer
  /** No evidence is taken when database and evidence would take more MiB; write-ahead log and ballast come on top. */
  readonly maxSizeMiB: number
}

const KEY_BYTES = 32
/** Moving the log on is what needs disk space last: keep little in it. */
const LOG_PAGES = 256
/** A vault that is being replaced needs a moment to let go of the store. */
export const LOCK_WAIT_MS = 1000

/**
 * What every open sets and reads back. A reopened WAL database would run at synchronous=NORMAL, which loses acknowledged rows in a
 * power cut; big sorts would spill plaintext to /var/tmp; deleted rows would stay in free pages.
 */
const PRAGMAS = [
  ['journal_mode', 'WAL', 'wal'],
  ['synchronous', 'FULL', 2],
  ['temp_store', 'MEMORY', 2],
  ['secure_delete', 'ON', 1],
  ['foreign_keys', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  ['cell_size_check', 'ON', 1],
  ['locking_mode', 'EXCLUSIVE', 'exclusive'],
  ['auto_vacuum', 'INCREMENTAL', 2],
  // SQLite tells nobody when its own checkpoint fails: `transact` keeps the log short.
  ['wal_autocheckpoint', '0', 0],
] as const

/**
 * Opens the encrypted database, or makes it, and holds it alone until it is closed: exclusive locking also keeps the WAL index in
 * memory instead of in a shared file.
 *
 * Throws ERR_STORE_FOLDER, ERR_STORE_PLAIN, ERR_STORE_KEY, ERR_STORE_LOCKED, ERR_STORE_PRAGMA, ERR_STORE_IO.
 */
export function openDatabase({ file, key, maxSizeMiB }: DatabaseFile): StoreDatabase {
  if (key.length !== KEY_BYTES) {
    throw new RoadveilError('ERR_STORE_KEY', `a database key has ${KEY_BYTES} bytes, not ${key.length}`)
  }
  try {
    prepareFolder(dirname(file))
    prepareFile(file)
  } catch (error) {
    throw fileError(error, `${file} cannot be used`)
  }
  let db: StoreDatabase | undefined
  try {
    db = new Database(file, { timeout: LOCK_WAIT_MS })
    unlock(db, key)
    lockAlone(db)
    renewLog(file)
    setPragmas(db, maxSizeMiB)
    checkpoint(db, 'TRUNCATE')
    // SQLite syncs the folder as well, when it has made the log, but does not say when that fails.
    sync(dirname(file))
    return db
  } catch (error) {
    db?.close()
    throw fileError(error, `${file} cannot be opened`)
  }
}

/**
 * Puts a database file that nobody has open under another key. Not safe against interruption: only for a copy that is thrown away
 * then.
 *
 * Throws what `openDatabase` does.
 */
export function rekeyCopy(file: string, key: Buffer, newKey: Buffer): void {
  const db = new Database(file, { timeout: LOCK_WAIT_MS })
  try {
    unlock(db, key)
    db.pragma('temp_store = MEMORY')
    db.pragma('locking_mode = EXCLUSIVE')
    leaveWal(db)
    const raw = rawKey(newKey)
    db.rekey(raw)
    raw.fill(0)
  } catch (error) {
    throw storeError(error)
  } finally {
    db.close()
  }
}

/** Brings everything into the database file itself, and keeps the lock on it. Until it is opened again there is no log beside it. */
export function leaveWal(db: StoreDatabase): void {
  db.pragma('wal_checkpoint(TRUNCATE)')
  const mode = db.pragma('journal_mode = DELETE', { simple: true })
  if (mode !== 'delete') throw new RoadveilError('ERR_STORE_PRAGMA', `journal_mode is ${String(mode)}`)
}

function prepareFolder(folder: string): void {
  makeFolder(folder)
  const stat = lstatSync(folder)
  if (!stat.isDirectory() || (stat.mode & 0o077) !== 0 || stat.uid !== process.getuid?.()) {
    throw new RoadveilError('ERR_STORE_FOLDER', `${folder} is not a folder of ours alone`)
  }
}

/** Makes the file before SQLite does, so that it and the WAL, which inherits its mode, are private from the first moment. */
function prepareFile(file: string): void {
  if (!existsSync(file)) {
    closeSync(openSync(file, 'wx', 0o600))
    return
  }
  if (!lstatSync(file).isFile()) throw new RoadveilError('ERR_STORE_IO', `${file} is not a regular file`)
  chmodSync(file, 0o600)
  const descriptor = openSync(file, 'r')
  try {
    const head = Buffer.alloc(16)
    readSync(descriptor, head)
    if (head.toString('latin1') === 'SQLite format 3\0') {
      throw new RoadveilError('ERR_STORE_PLAIN', `${file} is not encrypted`)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** SQLCipher 4's format with a raw key, so that nothing is derived from it and the `sqlcipher` tool could open it too. */
export function unlock(db: StoreDatabase, key: Buffer): void {
  db.pragma("cipher = 'sqlcipher'")
  db.pragma('legacy = 4')
  const raw = rawKey(key)
  db.key(raw)
  raw.fill(0)
}

function rawKey(key: Buffer): Buffer {
  return Buffer.from(`x'${key.toString('hex')}'`, 'latin1')
}

/** Takes the lock for good, or throws that another process has it. */
function lockAlone(db: StoreDatabase): void {
  db.pragma('locking_mode = EXCLUSIVE')
  db.pragma('schema_version')
}

/**
 * Writes the log that an earlier process has left once more, as it is. Where that process's last sync failed, the log reads as if it
 * were written and is not on the disk; what is moved from it into the database must be there before, or a power cut in between
 * leaves neither. Only for who has the lock.
 */
function renewLog(file: string): void {
  try {
    rewrite(`${file}-wal`)
  } catch (error) {
    const coded = fileError(error, 'the log of the store cannot be written')
    // Where there is no room to write anew what is there, the log stays as it is.
    if (!isRoadveilError(coded, 'ERR_STORE_FULL')) throw coded
  }
}

function setPragmas(db: StoreDatabase, maxSizeMiB: number): void {
  db.pragma('auto_vacuum = INCREMENTAL')
  for (const [name, value] of PRAGMAS) db.pragma(`${name} = ${value}`)
  for (const [name, , expected] of PRAGMAS) {
    const found = db.pragma(name, { simple: true })
    if (found !== expected) throw new RoadveilError('ERR_STORE_PRAGMA', `${name} is ${String(found)}`)
  }
  if (db.pragma('cipher', { simple: true }) !== 'sqlcipher') {
    throw new RoadveilError('ERR_STORE_PRAGMA', 'the store is not encrypted')
  }
  const pageBytes = db.pragma('page_size', { simple: true }) as number
  const pages = Math.floor((maxSizeMiB * 1024 * 1024) / pageBytes)
  const limit = db.pragma(`max_page_count = ${pages}`, { simple: true }) as number
  // A store that is larger already keeps its size and can only shrink.
  if (limit > Math.max(pages, db.pragma('page_count', { simple: true }) as number)) {
    throw new RoadveilError('ERR_STORE_PRAGMA', `max_page_count is ${limit}`)
  }
}

/**
 * Runs `work` in one transaction: all of it is on the disk when this returns, or nothing of it. Throws coded errors.
 *
 * @param moveLogOn when to move the log on, which takes longer than the transaction itself; at once, unless it says otherwise.
 */
export function transact<T>(
  db: StoreDatabase,
  work: () => T,
  moveLogOn: (move: () => void) => void = (move) => move(),
): T {
  return watched(db, () => {
    const result = db.transaction(work).immediate()
    moveLogOn(() => shortenLog(db))
    return result
  })
}

function watched<T>(db: StoreDatabase, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const coded = storeError(error)
    if (isRoadveilError(coded, 'ERR_STORE_CORRUPT')) watchers.get(db)?.(coded)
    throw coded
  }
}

const watchers = new WeakMap<StoreDatabase, (error: RoadveilError) => void>()

/** From now on `onDamage` is called when a transaction meets damage: what it was to write cannot be written there. */
export function watchForDamage(db: StoreDatabase, onDamage: (error: RoadveilError) => void): void {
  watchers.set(db, onDamage)
}

/**
 * Moves the log on where it has grown, but leaves its file the room that it has: on a full disk deletes need that. Inside a
 * transaction it does nothing. Throws coded errors.
 */
export function shortenLog(db: StoreDatabase): void {
  if (db.inTransaction) return
  watched(db, () => {
    const [state] = db.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[]
    if (state && state.log - state.checkpointed >= LOG_PAGES) checkpoint(db, 'PASSIVE')
  })
}

/** Moves what the write-ahead log holds into the database. On a full disk the log keeps it, safe, for the next time. */
function checkpoint(db: StoreDatabase, mode: 'PASSIVE' | 'TRUNCATE'): void {
  try {
    db.pragma(`wal_checkpoint(${mode})`)
  } catch (error) {
    const coded = storeError(error)
    if (!isRoadveilError(coded, 'ERR_STORE_FULL')) throw coded
  }
}

/** Runs a reading `work` and throws coded errors. */
export function query<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeError(error)
  }
}
