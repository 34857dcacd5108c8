import { writeSync } from 'node:fs'
import { openTestStore } from '../../store/store.fixture.ts'

/** A process that brings an older store up to date, and puts the outer layer around what has none: `node migrator.ts FOLDER`. */
const [, , folder = ''] = process.argv
writeSync(1, 'opening\n')
const store = openTestStore(folder)
while (store.expiry.moveOlder(Date.parse('2026-03-01T00:00:00Z')));
writeSync(1, 'done\n')
setInterval(() => undefined, 1000)
