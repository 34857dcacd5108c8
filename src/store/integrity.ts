import { RoadveilError } from '../errors.ts'
import type { StoreDatabase } from './database.ts'

const TABLES = [
  'evidence',
  'evidence_key',
  'day_key',
  'outbox',
  'legal_hold',
  'tombstone',
  'audit',
  'checkpoint',
  'certificate',
  'command',
  'schedule_run',
  'meta',
]

/**
 * Checks every table but the chunks of earlier versions, which may have gigabytes: the cipher authenticates each of their pages when it
 * is read. Throws ERR_STORE_CORRUPT.
 */
export function checkIntegrity(db: StoreDatabase): void {
  for (const table of TABLES) {
    const found = db.pragma(`quick_check(${table})`, { simple: true })
    if (found !== 'ok') throw new RoadveilError('ERR_STORE_CORRUPT', `the table ${table} is damaged`)
  }
}
