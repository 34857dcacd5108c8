import Database from 'better-sqlite3-multiple-ciphers'
import { existsSync, rmSync } from 'node:fs'
import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { type DatabaseFile, LOCK_WAIT_MS, unlock } from './database.ts'
import { evidenceFilesOf } from './evidence-files.ts'
import { newestAtOf } from './expiry.ts'
import { storeError } from './failure.ts'
import { checkIntegrity } from './integrity.ts'
import { inventoryOf, type StoreCounts } from './inventory.ts'
import { VERSION_NOW } from './migrations.ts'
import { findDamage, isDamage } from './salvage.ts'
import { type SetAside, setAsidesOf } from './set-aside.ts'
import { straysOf } from './strays.ts'

/** What a store has, as a look at it says that changes nothing. */
export interface StoreLook {
  /** undefined for a store of an earlier version, which the next start brings up to date. */
  readonly counts: StoreCounts | undefined
  /** The latest moment on record. */
  readonly newestAt: EpochMs | undefined
  readonly setAsides: readonly SetAside[]
}

/**
 * Looks into a store that no vault has open, and leaves it as it is. undefined where there is none yet.
 *
 * Throws ERR_STORE_CORRUPT where the next start will salvage it, ERR_STORE_LOCKED, ERR_STORE_KEY, ERR_STORE_VERSION for a newer one,
 * ERR_STORE_EVIDENCE where the folder of its evidence is missing, ERR_STORE_IO.
 */
export function lookIntoStore({ file, key }: Pick<DatabaseFile, 'file' | 'key'>): StoreLook | undefined {
  if (!existsSync(file)) return undefined
  // What SQLite makes to read a log, where there is none.
  const made = [`${file}-shm`, `${file}-wal`].filter((each) => !existsSync(each))
  const db = new Database(file, { readonly: true, timeout: LOCK_WAIT_MS })
  try {
    unlock(db, key)
    const version = db.pragma('user_version', { simple: true }) as number
    if (version > VERSION_NOW)
      throw new RoadveilError('ERR_STORE_VERSION', `the store has version ${version}`)
    const isNow = version === VERSION_NOW
    if (isNow) {
      checkIntegrity(db)
      straysOf(db, evidenceFilesOf(file)).findMissing()
    }
    const counts = isNow ? inventoryOf(db).counts() : undefined
    // Only now: while another process writes it, a log looks damaged.
    if (findDamage({ file })) throw new RoadveilError('ERR_STORE_CORRUPT', 'the store is damaged')
    return { counts, newestAt: isNow ? newestAtOf(db) : undefined, setAsides: setAsidesOf(file).list() }
  } catch (error) {
    if (!isDamage(storeError(error), { file, key })) throw storeError(error)
    throw new RoadveilError('ERR_STORE_CORRUPT', 'the store is damaged', { cause: error })
  } finally {
    db.close()
    for (const each of made) rmSync(each, { force: true })
  }
}
