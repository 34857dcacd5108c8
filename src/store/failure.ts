import Database from 'better-sqlite3-multiple-ciphers'
import { type ErrorCode, isRoadveilError, RoadveilError } from '../errors.ts'

/**
 * Turns a failure of SQLite into a coded error. Extended codes (SQLITE_IOERR_FSYNC…) count as their kind
 * (https://sqlite.org/rescode.html). Errors of ours and programming mistakes come back as they are.
 */
export function storeError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  const code = codeOf(error.code)
  // SQLite's message names tables and columns but no values.
  return code ? new RoadveilError(code, `the store failed with ${error.code}`, { cause: error }) : error
}

/** Turns a failure of the file system into a coded error with this message, and leaves the rest to `storeError`. */
export function fileError(error: unknown, message: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return storeError(error)
  const isFull = 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  return new RoadveilError(isFull ? 'ERR_STORE_FULL' : 'ERR_STORE_IO', message, { cause: error })
}

const readFailures = new WeakSet<object>()

/** The same for a failure of reading one file, whichever step of it failed. */
export function readError(error: unknown, message: string): unknown {
  const coded = fileError(error, message)
  if (isRoadveilError(coded, 'ERR_STORE_IO')) readFailures.add(coded)
  return coded
}

/** Whether it is one of `readError`. */
export function isReadFailure(error: unknown): boolean {
  return error instanceof Error && readFailures.has(error)
}

/** Reading changes nothing: it may be tried again, or fail for one evidence only. */
const READS: ReadonlySet<unknown> = new Set(['SQLITE_IOERR_READ', 'SQLITE_IOERR_SHORT_READ'])

/** Whether the disk has refused to take something, so that nobody knows what of it is there. */
export function isWriteFailure(error: unknown): boolean {
  if (!isRoadveilError(error, 'ERR_STORE_IO') || isReadFailure(error)) return false
  const { cause } = error
  if (cause instanceof Database.SqliteError) return !READS.has(cause.code)
  return !(cause instanceof Error && 'syscall' in cause && cause.syscall === 'read')
}

function codeOf(sqlite: string): ErrorCode | undefined {
  if (sqlite === 'SQLITE_FULL') return 'ERR_STORE_FULL'
  if (sqlite === 'SQLITE_NOTADB') return 'ERR_STORE_KEY'
  // A change of key put another file in its place while the lock was waited for.
  if (sqlite === 'SQLITE_READONLY_DBMOVED') return 'ERR_STORE_LOCKED'
  if (sqlite.startsWith('SQLITE_CORRUPT')) return 'ERR_STORE_CORRUPT'
  if (sqlite.startsWith('SQLITE_BUSY') || sqlite.startsWith('SQLITE_LOCKED')) return 'ERR_STORE_LOCKED'
  if (/^SQLITE_(IOERR|CANTOPEN|READONLY|PERM)/.test(sqlite)) return 'ERR_STORE_IO'
  return undefined
}
