import { writeSync } from 'node:fs'
import { aboutAt, openTestStore, receiptFor, sealedFixture } from './store.fixture.ts'

/** A process that stores evidence and settles every third one until it is killed, and tells on stdout what is acknowledged. */
const folder = process.argv[2]
if (folder === undefined) throw new Error('needs a folder')
const store = openTestStore(folder)
writeSync(1, 'ready\n')
for (let round = 0; ; round++) {
  const sealed = sealedFixture(150_000)
  store.evidence.commit(sealed, aboutAt(Date.now()))
  writeSync(1, `stored ${sealed.evidenceId} ${sealed.ciphertextSha256}\n`)
  if (round % 3 === 2) {
    writeSync(1, `settling ${sealed.evidenceId} x\n`)
    store.outbox.settle(receiptFor(sealed), Date.now())
    writeSync(1, `settled ${sealed.evidenceId} x\n`)
  }
}
