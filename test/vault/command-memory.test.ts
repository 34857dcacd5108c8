import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { openDatabase } from '../../src/store/database.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { aboutAt, receiptFor, sealedFixture } from '../store/store.fixture.ts'
import { type DeskTest, setUpDesk } from './command-desk.fixture.ts'

const START = Date.parse('2026-05-01T12:00:00Z')
const MINUTE = 60_000
const DAY = 86_400_000
const PAGE = 4096

type Sent = ReturnType<DeskTest['sign']>

/** Evidence that a command holds, another one released and a third one holds anew, and that the city has: a hold keeps it. */
async function releasedAndHeld(
  box: DeskTest,
): Promise<{ readonly evidenceId: string; readonly release: Sent }> {
  const sealed = sealedFixture(2000)
  const { evidenceId } = sealed
  box.store.evidence.commit(sealed, aboutAt(START))
  const hold = { kind: 'hold', caseNumber: '7/26', subject: { evidenceIds: [evidenceId] } }
  await box.take(box.sign(hold))
  const release = box.sign({ kind: 'release', evidenceIds: [evidenceId], expiresAt: soon(7 * DAY) })
  await box.take(release)
  box.setClock(START + MINUTE)
  await box.take(box.sign(hold))
  box.store.outbox.settle(receiptFor(sealed), START + MINUTE)
  return { evidenceId, release }
}

function soon(ms: number): string {
  return new Date(START + ms).toISOString()
}

/** A bit flips in the first page of each of these tables. */
async function damage(box: DeskTest, ...tables: readonly string[]): Promise<void> {
  await box.restartAfter((file) => {
    const { database: key } = loadStoreKeys(box.config, {})
    const db = openDatabase({ file, key, maxSizeMiB: 64 })
    const root = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck()
    const roots = tables.map((table) => root.get(table) ?? 0)
    db.close()
    const bytes = readFileSync(file)
    for (const page of roots) bytes[(page - 1) * PAGE + 700] = (bytes[(page - 1) * PAGE + 700] ?? 0) ^ 1
    writeFileSync(file, bytes)
  })
}

/** Puts the database as it was at the moment in place again; `also` are other files of the store. */
async function keepCopy(box: DeskTest, ...also: readonly string[]): Promise<() => Promise<void>> {
  const ends = ['', ...also]
  const kept = `${box.config.store.file}.kept`
  await box.restartAfter((file) => {
    for (const end of ends) if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, `${kept}${end}`)
  })
  return async () =>
    box.restartAfter((file) => {
      rmSync(`${file}-wal`, { force: true })
      for (const end of ends) if (existsSync(`${kept}${end}`)) copyFileSync(`${kept}${end}`, `${file}${end}`)
    })
}

function isHeld(box: DeskTest, evidenceId: string): boolean {
  box.store.expiry.deleteDelivered(START + DAY)
  return box.store.inventory.list().some((each) => each.evidenceId === evidenceId && each.holds.length > 0)
}

await t.test('a spent command is not done again after the table of commands was damaged', async (t) => {
  using box = await setUpDesk(t, START)
  const { evidenceId, release } = await releasedAndHeld(box)
  const [first] = await box.take(release)
  const refused = box.sign({ kind: 'release', caseNumber: '9/26' })
  t.match(await box.take(refused), [{ outcome: 'refused', code: 'ERR_HOLD_UNKNOWN' }])
  const waiting = box.sign({ kind: 'hold', caseNumber: '8/26', subject: { criteria: { camera: 'north' } } })
  await damage(box, 'command')
  t.equal(box.store.damage.setAsides().length, 1, 'the store was salvaged')

  t.match(first, { outcome: 'done', changed: { released: 1 } })
  t.match(await box.take(release), [{ ...first, answeredAt: soon(MINUTE) }], 'it is answered the same')
  t.match(await box.take(release), [{ outcome: 'done', changed: { released: 1 } }])
  t.match(
    await box.take(refused),
    [{ outcome: 'refused', code: 'ERR_HOLD_UNKNOWN' }],
    'one that was refused, too',
  )
  const other = box.sign({ kind: 'rotate-key', commandId: release.commandId })
  t.match(await box.take(other), [{ code: 'ERR_COMMAND_REUSED' }])
  t.match(await box.take(waiting), [{ outcome: 'done' }], 'the log is whole: what was not taken yet is done')
  t.ok(isHeld(box, evidenceId), 'the hold holds')
  const released = box.store.audit.list(100).filter(({ kind }) => kind === 'hold-released')
  t.equal(released.length, 1)

  await damage(box, 'command')
  t.match(
    await box.take(release),
    [{ outcome: 'done', changed: { released: 1 } }],
    'also after a second damage',
  )
  t.ok(isHeld(box, evidenceId))
})

for (const [expected, ...tables] of [
  ['forgotten', 'audit', 'command'],
  ['forgotten', 'audit', 'command', 'meta'],
  ['remembered', 'meta', 'command'],
] as const)
  await t.test(`after damage to ${tables.join(', ')} what was issued before changes nothing`, async (t) => {
    using box = await setUpDesk(t, START)
    const { evidenceId, release } = await releasedAndHeld(box)
    const answer = expected === 'forgotten' ? { code: 'ERR_COMMAND_FORGOTTEN' } : { outcome: 'done' }
    await damage(box, ...tables)
    t.match(await box.take(release), [answer])
    t.ok(isHeld(box, evidenceId), 'the hold holds')
    box.setClock(START + 2 * MINUTE)
    const hold = { kind: 'hold', caseNumber: '8/26', subject: { criteria: { camera: 'north' } } }
    t.match(
      await box.take(box.sign(hold)),
      [{ outcome: 'done' }],
      'what is issued afterwards is done at once',
    )
    await damage(box, ...tables)
    t.match(await box.take(release), [answer], 'and so it is after a second damage')
    t.ok(isHeld(box, evidenceId))
  })

await t.test('an old copy of the store that is put back does no spent command again', async (t) => {
  using box = await setUpDesk(t, START)
  const sealed = sealedFixture(2000)
  const { evidenceId } = sealed
  box.store.evidence.commit(sealed, aboutAt(START))
  const hold = { kind: 'hold', caseNumber: '7/26', subject: { evidenceIds: [evidenceId] } }
  await box.take(box.sign(hold))
  const putBack = await keepCopy(box)
  const release = box.sign({ kind: 'release', evidenceIds: [evidenceId] })
  t.match(await box.take(release), [{ outcome: 'done' }])
  await putBack()
  t.ok(box.store.damage.missingRows > 0, 'the store knows that it went back')
  t.match(await box.take(release), [{ outcome: 'refused', code: 'ERR_COMMAND_FORGOTTEN' }])
  t.ok(isHeld(box, evidenceId))
  box.setClock(START + 1)
  t.match(await box.take(box.sign({ kind: 'release', evidenceIds: [evidenceId] })), [{ outcome: 'done' }])
  await box.restartAfter(() => undefined)
  t.equal(box.store.damage.missingRows, 0)
  t.match(await box.take(release), [{ code: 'ERR_COMMAND_FORGOTTEN' }], 'and so it stays')
})

await t.test(
  'where the mark is lost, too, the clock says until when commands may have been taken',
  async (t) => {
    using box = await setUpDesk(t, START)
    const hold = { kind: 'hold', caseNumber: '7/26', subject: { criteria: { camera: 'north' } } }
    t.match(await box.take(box.sign(hold)), [{ outcome: 'done' }])
    const putBack = await keepCopy(box)
    const release = box.sign({ kind: 'release', caseNumber: '7/26' })
    t.match(await box.take(release), [{ outcome: 'done' }])
    rmSync(`${box.config.store.file}.mark`)
    await putBack()
    t.equal(box.store.damage.missingRows, 0)
    t.match(await box.take(release), [{ code: 'ERR_COMMAND_FORGOTTEN' }])
    t.match(await box.take(box.sign({ kind: 'release', caseNumber: '7/26' })), [
      { code: 'ERR_COMMAND_FORGOTTEN' },
    ])
    // The city's clock may be ahead by as much.
    box.setClock(START + 5 * MINUTE + 1)
    t.match(await box.take(box.sign({ kind: 'release', caseNumber: '7/26' })), [{ outcome: 'done' }])
    t.match(await box.take(release), [{ code: 'ERR_COMMAND_FORGOTTEN' }])
  },
)

await t.test('a clock that was ahead when commands were lost locks none out once it is right', async (t) => {
  using box = await setUpDesk(t, START)
  const hold = { kind: 'hold', caseNumber: '7/26', subject: { criteria: { camera: 'north' } } }
  const first = box.sign(hold)
  t.match(await box.take(first), [{ outcome: 'done' }])
  const putBack = await keepCopy(box)
  rmSync(`${box.config.store.file}.mark`)
  box.setClock(START + 3650 * DAY)
  await putBack()
  box.store.audit.record('vault-started', {}, START + 3650 * DAY)
  // Set right by a time server, which is believed although the log knows of a later moment.
  box.setClock(START + DAY)
  box.keepClock()
  await box.restart()
  t.match(await box.take(box.sign({ kind: 'release', caseNumber: '7/26' })), [
    { code: 'ERR_COMMAND_FORGOTTEN' },
  ])
  box.setClock(START + DAY + 5 * MINUTE + 1)
  t.match(await box.take(box.sign({ kind: 'release', caseNumber: '7/26' })), [{ outcome: 'done' }])
})

await t.test('while no clock is believed, nothing that may have been taken is taken', async (t) => {
  using box = await setUpDesk(t, START)
  const hold = { kind: 'hold', caseNumber: '7/26', subject: { criteria: { camera: 'north' } } }
  const first = box.sign(hold)
  t.match(await box.take(first), [{ outcome: 'done' }])
  const release = box.sign({ kind: 'release', caseNumber: '7/26' })
  t.match(await box.take(release), [{ outcome: 'done' }])
  rmSync(`${box.config.store.file}.mark`)
  box.setClock(0)
  await damage(box, 'audit', 'command', 'meta')
  t.match(await box.take(release), [{ code: 'ERR_CLOCK_WRONG' }])
  box.setClock(START + MINUTE)
  t.match(await box.take(release), [{ code: 'ERR_COMMAND_FORGOTTEN' }])
})

await t.test(
  'an erasure that had begun is ended after a salvage, unless the log may hide that it was',
  async (t) => {
    for (const tables of [['command'], ['command', 'audit']]) {
      using box = await setUpDesk(t, START)
      const timeSpan = [soon(-2 * DAY), soon(0)]
      const sent = box.sign({ kind: 'erase', subject: { criteria: { timeSpan } } })
      await box.failAt('keep')
      t.match(await box.take(sent), [{ outcome: 'refused', code: 'ERR_STORE_FULL' }])
      await damage(box, ...tables)
      box.setClock(START + 2 * DAY)
      const answers = await box.take(sent)
      if (tables.length === 1) t.match(answers, [{ outcome: 'done', kind: 'erase' }])
      else t.match(answers, [{ outcome: 'refused', code: /^ERR_COMMAND_(FORGOTTEN|EXPIRED)$/ }])
    }
  },
)

await t.test(
  'a rotation that was done is not done again after a salvage, and is answered the same',
  async (t) => {
    using box = await setUpDesk(t, START)
    const sent = box.sign({ kind: 'rotate-key' })
    const [first] = await box.take(sent)
    const { id } = box.signer.signingKey
    await damage(box, 'command')
    t.match(await box.take(sent), [
      { outcome: 'done', rotated: first?.outcome === 'done' ? first.rotated : {} },
    ])
    t.equal(box.signer.signingKey.id, id)
  },
)

await t.test('what a box took before it was updated is not done again either', async (t) => {
  using box = await setUpDesk(t, START)
  const { evidenceId, release } = await releasedAndHeld(box)
  await box.restartAfter((file) => {
    const { database: key } = loadStoreKeys(box.config, {})
    const db = openDatabase({ file, key, maxSizeMiB: 64 })
    for (const column of ['commands_until', 'commands_lost_until', 'commands_lost'])
      db.exec(`ALTER TABLE meta DROP COLUMN ${column}`)
    db.exec('ALTER TABLE command DROP COLUMN outcome')
    db.exec(`UPDATE audit SET details = json_remove(details, '$.issuedAt', '$.expiresAt')`)
    db.pragma('user_version = 6')
    db.close()
  })
  await damage(box, 'command')
  t.match(
    await box.take(release),
    [{ outcome: 'done', changed: { released: 1 } }],
    'the log says that it was done',
  )
  await damage(box, 'audit', 'command')
  t.match(await box.take(release), [{ code: 'ERR_COMMAND_FORGOTTEN' }])
  t.ok(isHeld(box, evidenceId))
})
