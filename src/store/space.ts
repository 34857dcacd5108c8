import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { EvidenceFiles } from './evidence-files.ts'
import { fileError } from './failure.ts'

/**
 * Keeps deletes working when there is no room. On a full disk even DELETE fails, so a ballast file beside the database is given up
 * then; and inside the database a reserve is kept from evidence, for the tombstones and audit rows that deleting it writes.
 */
export interface Space {
  /**
   * Throws ERR_STORE_FULL when evidence of so many bytes would eat into the reserve. To be called inside its transaction.
   */
  demand(bytes: number): void
  /** What database and evidence take of the size of the store. */
  usedBytes(): number
  /** Runs a deleting transaction; on a full disk gives up ballast, piece by piece, until there is room for it. */
  transactDeleting<T>(work: () => T): T
  /** Gives some 2 MB of free pages back to the file system. Returns false when there are none left. */
  compact(): boolean
  /**
   * Moves what the write-ahead log holds into the database, overwriting what was deleted there, and empties the log. On a full disk
   * that is left to the next time.
   */
  checkpoint(): void
  /** Puts the ballast back where there is room for it. */
  restoreBallast(): void
}

/** Deleting what an earlier version stored in the database overwrites it there, and the log must take that first: room for some 12 MB. */
const BALLAST_BYTES = 16 * 1024 * 1024
const BALLAST_STEP_BYTES = 4 * 1024 * 1024
/** Putting the ballast back must not fill the disk again. */
const BALLAST_ROOM_BYTES = 2 * BALLAST_BYTES
const RESERVE_BYTES = 1024 * 1024
/** What the rows of one evidence change in the database, at most. */
const ROWS_BYTES = 64 * 4096
/** What evidence leaves free on the disk, for others and for the log. */
const DISK_RESERVE_BYTES = 8 * 1024 * 1024
const VACUUM_STEP_PAGES = 512

export function spaceOf(
  db: StoreDatabase,
  file: string,
  { files, logger }: { readonly files: Pick<EvidenceFiles, 'bytes'>; readonly logger?: Logger | undefined },
): Space {
  const ballast = `${file}.ballast`
  let isGivenUp = false
  const pragma = (name: string): number => db.pragma(name, { simple: true }) as number
  const pageBytes = pragma('page_size')

  function diskFreeBytes(): number {
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize
  }

  const ballastBytes = (): number => (existsSync(ballast) ? statSync(ballast).size : 0)

  function withBallast<T>(work: () => T): T {
    for (;;) {
      try {
        return work()
      } catch (error) {
        const left = ballastBytes()
        if (!isRoadveilError(error, 'ERR_STORE_FULL') || left === 0) throw error
        if (!isGivenUp) logger?.warn('the disk is full: gives up ballast so that deleting works', { error })
        isGivenUp = true
        // No more than is needed: others would take the rest, and the next receipt needs some, too.
        if (left > BALLAST_STEP_BYTES) truncateSync(ballast, left - BALLAST_STEP_BYTES)
        else rmSync(ballast)
      }
    }
  }

  /** Brings the ballast to its size again, as far as there is room. */
  function grow(): void {
    try {
      for (let size = ballastBytes(); size < BALLAST_BYTES; size += BALLAST_STEP_BYTES)
        appendNoise(ballast, Math.min(BALLAST_STEP_BYTES, BALLAST_BYTES - size))
      isGivenUp = false
    } catch (cause) {
      const error = fileError(cause, 'the ballast could not be written')
      if (!isRoadveilError(error, 'ERR_STORE_FULL')) throw error
      if (!isGivenUp)
        logger?.warn('no room for the ballast that keeps deleting possible on a full disk', { error })
    }
  }

  const space: Space = {
    demand(bytes) {
      if (space.usedBytes() + bytes + ROWS_BYTES + RESERVE_BYTES > pragma('max_page_count') * pageBytes) {
        throw new RoadveilError('ERR_STORE_FULL', `the store has no room for ${bytes} bytes`)
      }
      // The rows once in the log and once in the database: a log that can't be moved on would block every delete.
      if (diskFreeBytes() < bytes + 2 * ROWS_BYTES + DISK_RESERVE_BYTES) {
        throw new RoadveilError('ERR_STORE_FULL', `the disk has no room for ${bytes} bytes`)
      }
    },

    usedBytes: () =>
      query(() => (pragma('page_count') - pragma('freelist_count')) * pageBytes + files.bytes()),

    transactDeleting: (work) => withBallast(() => transact(db, work)),

    compact() {
      return query(() => {
        const before = pragma('freelist_count')
        db.pragma(`incremental_vacuum(${VACUUM_STEP_PAGES})`)
        space.checkpoint()
        const left = pragma('freelist_count')
        return left > 0 && left < before
      })
    },

    checkpoint() {
      try {
        withBallast(() => query(() => db.pragma('wal_checkpoint(TRUNCATE)')))
        // The room that the log had, before anybody else takes it.
        if (isGivenUp) grow()
      } catch (error) {
        // The log keeps what it could not move, safe and encrypted, and the next checkpoint moves it.
        if (!isRoadveilError(error, 'ERR_STORE_FULL')) throw error
        logger?.warn('the disk is too full to empty the write-ahead log', { error })
      }
    },

    restoreBallast() {
      if (ballastBytes() < BALLAST_BYTES && diskFreeBytes() >= BALLAST_ROOM_BYTES) grow()
    },
  }
  return space
}

/** Noise, for file systems that compress or leave out zeros. */
function appendNoise(file: string, bytes: number): void {
  const descriptor = openSync(file, 'a', 0o600)
  try {
    writeFileSync(descriptor, randomBytes(bytes))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
