import { writeSync } from 'node:fs'
import { isRoadveilError } from '../../src/errors.ts'
import { openDatabase } from '../../src/store/database.ts'

/** A process that opens a database once and tells which one it got: with a table `fresh`, or the `old` one. */
const [, , file = ''] = process.argv
writeSync(1, 'opening ')
try {
  const db = openDatabase({ file, key: Buffer.alloc(32, 7), maxSizeMiB: 64 })
  writeSync(1, db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'fresh'").get() ? 'fresh' : 'old')
} catch (error) {
  writeSync(1, isRoadveilError(error) ? error.code : 'uncoded')
}
