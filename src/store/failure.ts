import Database from 'better-sqlite3-multiple-ciphers'
import { type ErrorCode, RoadveilError } from '../errors.ts'

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

function codeOf(sqlite: string): ErrorCode | undefined {
  if (sqlite === 'SQLITE_FULL') return 'ERR_STORE_FULL'
  if (sqlite === 'SQLITE_NOTADB') return 'ERR_STORE_KEY'
  if (sqlite.startsWith('SQLITE_CORRUPT')) return 'ERR_STORE_CORRUPT'
  if (sqlite.startsWith('SQLITE_BUSY') || sqlite.startsWith('SQLITE_LOCKED')) return 'ERR_STORE_LOCKED'
  if (/^SQLITE_(IOERR|CANTOPEN|READONLY|PERM)/.test(sqlite)) return 'ERR_STORE_IO'
  return undefined
}
