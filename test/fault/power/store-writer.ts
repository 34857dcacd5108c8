import { existsSync, readdirSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3-multiple-ciphers'
import { isRoadveilError } from '../../../src/errors.ts'
import type { SealedParts } from '../../../src/store/evidence.ts'
import type { Store } from '../../../src/store/open.ts'
import { aboutAt, openTestStore, receiptFor, sealedFixture, storeFileIn } from '../../store/store.fixture.ts'
import { diceOf } from '../dice.ts'

/**
 * A process that lets a store keep, settle and purge evidence of many days, and says on stdout what was acknowledged:
 * `node store-writer.ts FOLDER SEED TURNS [careless|storing]`. Careless, it is the control: its store runs at synchronous=NORMAL.
 * Storing, it only stores, so that the log is not emptied on the way.
 */
const [, , folder = '', seed = '', turns = '', how = ''] = process.argv
if (how === 'careless') beCareless()
const dice = diceOf(Number(seed))
const days = `${storeFileIn(folder)}.days`
const say = (line: string): void => {
  try {
    writeSync(1, `${line}\n`)
  } catch {
    // The fault hit this very line.
    process.exit(1)
  }
}
const kept: SealedParts[] = []
const store = open()
let at = Date.parse('2026-03-01T00:00:00Z') + Number(seed) * 86_400_000

say('ready')
for (let turn = 0; turn < Number(turns); turn++) {
  at += dice.between(1, 10) * 3_600_000
  try {
    takeTurn()
  } catch (error) {
    // As bold as can be: what failed is not tried again, but the next thing is.
    say(`failed ${isRoadveilError(error) ? error.code : String(error)}`)
  }
}
// One ends in order, the next leaves its log behind.
if (Number(seed) % 2 === 0) store[Symbol.dispose]()
else process.kill(process.pid, 'SIGKILL')

function open(): Store {
  try {
    return openTestStore(folder)
  } catch (error) {
    if (!isRoadveilError(error)) throw error
    say(`failed ${error.code}`)
    process.exit(1)
  }
}

function takeTurn(): void {
  const chance = how === 'storing' ? 0 : dice.next()
  if (chance < 0.6) {
    const sealed = sealedFixture(dice.between(500, 60_000))
    store.evidence.commit(sealed, aboutAt(at))
    say(`stored ${sealed.evidenceId} ${sealed.ciphertextSha256}`)
    kept.push(sealed)
  } else if (chance < 0.85) {
    const sealed = kept.splice(dice.between(0, kept.length - 1), 1)[0]
    if (!sealed) return
    say(`settling ${sealed.evidenceId}`)
    store.outbox.settle(receiptFor(sealed), at)
    say(`settled ${sealed.evidenceId}`)
  } else {
    const before = existsSync(days) ? readdirSync(days) : []
    say('purging')
    store.expiry.deleteDelivered(at)
    store.expiry.destroyDayKeys(at)
    const sign = (): Uint8Array => Buffer.from('signed')
    store.expiry.recordPurge('purge', { details: {}, deletions: [], clockPlausible: true, sign }, at)
    store.expiry.compact()
    const after = existsSync(days) ? readdirSync(days) : []
    for (const id of before) if (!after.includes(id)) say(`destroyed ${id}`)
  }
}

/** What acknowledged evidence must not be kept with. */
function beCareless(): void {
  type Pragma = (this: Database.Database, source: string, options?: Database.PragmaOptions) => unknown
  const prototype = Database.prototype as { pragma: Pragma }
  const { pragma } = prototype
  prototype.pragma = function (source, options) {
    if (source === 'synchronous') return 2
    return pragma.call(this, source === 'synchronous = FULL' ? 'synchronous = NORMAL' : source, options)
  }
}
