import { createHash } from 'node:crypto'
import t from 'tap'
import type { Checkpoint } from '../../../src/domain/checkpoint.ts'
import { createEndorsedKeys } from '../../../src/receiver/endorsed-keys.ts'
import { postgresCheckpoints } from '../../../src/receiver/postgres/checkpoints.ts'
import { type Database, openDatabase } from '../../../src/receiver/postgres/database.ts'
import { postgresEndorsements } from '../../../src/receiver/postgres/endorsements.ts'
import { createWitness } from '../../../src/receiver/witness.ts'
import { signCheckpoint } from '../../../src/sealing/checkpoint.ts'
import { signEndorsement } from '../../../src/sealing/endorsement.ts'
import { signingKeyFixture, verifyKeysOf } from '../../sealing/keys.fixture.ts'
import { keptLog } from '../../support/kept-log.ts'
import { postgresIsLacking, startPostgres } from '../../support/postgres.ts'
import { writeSecret } from './secret.ts'

const skip = (await postgresIsLacking()) ?? false
const from = { site: 'hill-street', device: 'box-1' }

function checkpoint(sequence: number, branch = 'main'): Checkpoint {
  const mark = (sequence: number) => ({
    sequence,
    hash: createHash('sha256').update(`${branch}/${sequence}`).digest('hex'),
  })
  const issuedAt = new Date(Date.parse('2026-03-01T08:00:00.000Z') + 1000 * sequence).toISOString()
  return { ...from, logId: 'a'.repeat(32), head: mark(sequence), marks: [mark(sequence - 1)], issuedAt }
}

await t.test('receivers witness together', { skip }, async (t) => {
  await using postgres = await startPostgres()
  const source = writeSecret(t.testdir(), 'url', postgres.url)
  await using first = await openDatabase(source)
  await using second = await openDatabase(source)
  const key = signingKeyFixture()
  const deviceKeys = async () => verifyKeysOf(key)

  await t.test('a log that was put back is found by whoever hears it, and is one alarm', async (t) => {
    const logger = keptLog()
    const witnesses = [first, second].map((database) =>
      createWitness(postgresCheckpoints(database, Date.now), { deviceKeys, logger }),
    )
    const hear = (next: Checkpoint) =>
      Promise.all(witnesses.map((each) => each.take(from, Buffer.from(signCheckpoint(next, key)))))
    for (const sequence of [5, 6, 7]) await hear(checkpoint(sequence))
    t.strictSame(await postgres.query('SELECT * FROM roadveil.alarms'), [])
    await hear(checkpoint(6, 'another'))
    await hear(checkpoint(7, 'another'))
    const alarms = await postgres.query('SELECT device, reason, witnessed, received FROM roadveil.alarms')
    t.match(alarms, [{ device: 'box-1', reason: { code: 'ERR_AUDIT_ROLLED_BACK' } }])
    t.equal(alarms.length, 1)
    t.strictSame(alarms[0]?.['witnessed'], Buffer.from(signCheckpoint(checkpoint(7), key)))
    t.strictSame(alarms[0]?.['received'], Buffer.from(signCheckpoint(checkpoint(6, 'another'), key)))
    t.equal(logger.lines.filter(({ level }) => level === 'error').length, 1)
  })

  await t.test('a key that one has accepted all know, and an old key endorses one only', async (t) => {
    const keysIn = (database: Database) =>
      createEndorsedKeys(postgresEndorsements(database), deviceKeys, keptLog())
    const [one, two] = [keysIn(first), keysIn(second)]
    const [next, thief] = [signingKeyFixture(), signingKeyFixture()]
    const endorse = (by: typeof key, of: typeof key) =>
      Buffer.from(signEndorsement({ device: 'box-1', issuedAt: '2026-03-01T08:00:00.000Z', next: of }, by))
    await Promise.all([
      one.take({ device: 'box-1', keyId: next.id }, endorse(key, next)),
      two.take({ device: 'box-1', keyId: next.id }, endorse(key, next)),
    ])
    for (const each of [one, two]) t.ok((await each.deviceKeys('box-1')).has(next.id))
    for (const each of [one, two]) {
      await t.rejects(each.take({ device: 'box-1', keyId: thief.id }, endorse(key, thief)), {
        code: 'ERR_ENDORSEMENT_CONFLICT',
      })
    }
    t.notOk((await two.deviceKeys('box-2')).has(next.id))
  })
})
