import { join } from 'node:path'
import t from 'tap'
import { answerOf, type DeskTest, setUpDesk } from './command-desk.fixture.ts'
import { aboutAt, receiptFor, sealedFixture } from '../store/store.fixture.ts'
import { loadPublicKey } from '../../src/sealing/keys.ts'
import { readSigningFile } from '../../src/sealing/signing-file.ts'
import { readCertificates } from '../../src/vault/certificates.ts'
import { signingKeySource } from '../../src/vault/keys.ts'

const DAY_MS = 86_400_000
const START = Date.parse('2026-05-01T12:00:00Z')

const hold = (caseNumber: string, more: object = {}) => ({
  kind: 'hold',
  caseNumber,
  subject: { criteria: { camera: 'north' } },
  ...more,
})

function stored({ store }: DeskTest, at: number) {
  const sealed = sealedFixture(2000)
  store.evidence.commit(sealed, aboutAt(at))
  return sealed
}

await t.test('no command is taken while the clock is behind what was recorded', async (t) => {
  using box = await setUpDesk(t, START)
  const sent = box.sign(hold('1/26'))
  // Valid on the clock as it is now, were it not for what is in the audit log.
  box.store.audit.record('vault-started', {}, START + DAY_MS / 2)
  t.match(await box.take(sent), [{ outcome: 'refused', code: 'ERR_CLOCK_WRONG' }])
  box.setClock(START + DAY_MS / 2)
  t.match(await box.take(sent), [{ outcome: 'done' }], 'the same is done once the clock is right')
})

await t.test(
  'a clock that was ahead once does not disable commands once a time server keeps it',
  async (t) => {
    using box = await setUpDesk(t, START)
    const sealed = stored(box, START - DAY_MS)
    box.store.outbox.settle(receiptFor(sealed), START)
    box.store.audit.record('vault-started', {}, START + 3652 * DAY_MS)
    t.match(await box.take(box.sign(hold('1/26'))), [{ outcome: 'refused', code: 'ERR_CLOCK_WRONG' }])
    box.keepClock()
    t.match(await box.take(box.sign(hold('1/26'))), [{ outcome: 'done' }])
    const erase = { kind: 'erase', subject: { evidenceIds: [sealed.evidenceId] } }
    t.match(await box.take(box.sign(erase)), [{ outcome: 'done', changed: { tombstones: 1 } }])
    const { certificates } = readCertificates({ ...box, deviceId: 'box-1', signers: box.signer.signers }, 0)
    t.match(certificates.at(-1)?.certificate, { occasion: 'subject-request', clockPlausible: true })
  },
)

await t.test(
  'the time of a command is what it says, with five minutes of tolerance for its beginning',
  async (t) => {
    using box = await setUpDesk(t, START)
    const at = (ms: number): string => new Date(START + ms).toISOString()
    const early = box.sign(hold('1/26', { issuedAt: at(5 * 60_000 + 1), expiresAt: at(DAY_MS) }))
    t.match(await box.take(early), [{ code: 'ERR_COMMAND_EARLY' }])
    t.match(await box.take(box.sign(hold('1/26', { issuedAt: at(5 * 60_000), expiresAt: at(DAY_MS) }))), [
      { outcome: 'done' },
    ])
    t.match(await box.take(box.sign(hold('2/26', { issuedAt: at(-DAY_MS), expiresAt: at(1) }))), [
      { outcome: 'done' },
    ])
    t.match(await box.take(box.sign(hold('3/26', { issuedAt: at(-DAY_MS), expiresAt: at(0) }))), [
      { code: 'ERR_COMMAND_EXPIRED' },
    ])
    t.throws(() => box.sign(hold('4/26', { expiresAt: at(30 * DAY_MS + 1) })), {
      code: 'ERR_COMMAND_INVALID',
    })
  },
)

await t.test(
  'a command that was forgotten after it expired is not done again, whatever the clock says',
  async (t) => {
    using box = await setUpDesk(t, START)
    const first = box.sign(hold('1/26', { expiresAt: new Date(START + DAY_MS).toISOString() }))
    t.match(await box.take(first), [{ outcome: 'done' }])
    // Another one comes after it has expired, and makes the box forget it.
    box.setClock(START + 2 * DAY_MS)
    t.match(await box.take(box.sign(hold('2/26'))), [{ outcome: 'done' }])
    t.equal(box.store.commands.find(first.commandId), undefined)
    // The box believes a clock that went back a little; this one went back far, with a log that knows nothing of it.
    box.setClock(START)
    box.forgetTimes()
    t.match(await box.take(first), [{ code: 'ERR_COMMAND_EXPIRED' }])
    t.equal(box.store.holds.list().length, 2)
  },
)

await t.test(
  'a rotation that was interrupted after the key file was changed does not change it again',
  async (t) => {
    using box = await setUpDesk(t, START)
    const sent = box.sign({ kind: 'rotate-key' })
    const before = box.signer.signingKey.id
    await box.failAt('conclude')
    t.match(await box.take(sent), [{ outcome: 'refused', code: 'ERR_STORE_FULL' }])
    await box.restart()
    const [answer] = await box.take(sent)
    t.match(answer, { outcome: 'done', rotated: { previousKeyId: before, keyId: box.signer.signingKey.id } })
    t.not(box.signer.signingKey.id, before)
    t.equal(readSigningFile(signingKeySource(box.config, {})).endorsements.length, 1)
    t.equal(box.store.audit.list(100).filter(({ kind }) => kind === 'signing-key-rotated').length, 1)
  },
)

await t.test(
  'a rotation that did not come to the key file is done when the command comes again',
  async (t) => {
    using box = await setUpDesk(t, START)
    const sent = box.sign({ kind: 'rotate-key' })
    const { id } = loadPublicKey(join(box.trial.city.devices, 'box-1.pem'))
    box.store.commands.begin(box.keyOf(sent), id, START)
    await box.restart()
    t.match(await box.take(sent), [{ outcome: 'done', rotated: { previousKeyId: id } }])
    t.not(box.signer.signingKey.id, id)
  },
)

await t.test(
  'an erasure that was interrupted is ended when the command comes again, even after its time',
  async (t) => {
    using box = await setUpDesk(t, START)
    const [one, other] = [stored(box, START - DAY_MS), stored(box, START - DAY_MS)]
    const timeSpan = [new Date(START - 2 * DAY_MS).toISOString(), new Date(START).toISOString()]
    const sent = box.sign({ kind: 'erase', subject: { criteria: { timeSpan } } })
    box.store.holds.placeOn({ camera: 'north' }, { caseNumber: 'x', reason: 'r', by: 'b', at: START })
    for (const sealed of [one, other]) box.store.outbox.settle(receiptFor(sealed), START)
    box.store.holds.releaseCase('x', { reason: 'r', by: 'b', at: START })
    await box.failAt('keep')
    t.match(await box.take(sent), [{ outcome: 'refused', code: 'ERR_STORE_FULL' }])
    t.equal(box.store.inventory.list().length, 0, 'what was deleted stays deleted')
    await box.restart()
    box.setClock(START + 2 * DAY_MS)
    t.match(await box.take(sent), [{ outcome: 'done', changed: { evidence: 0, tombstones: 2 } }])
    t.equal(box.store.audit.list(100).filter(({ kind }) => kind === 'command-executed').length, 1)
  },
)

await t.test('what fails because of the store is done when it comes again', async (t) => {
  using box = await setUpDesk(t, START)
  const sent = box.sign(hold('1/26'))
  await box.failAt('conclude')
  t.match(await box.take(sent), [{ outcome: 'refused', code: 'ERR_STORE_FULL' }])
  t.same(box.store.holds.list(), [])
  await box.restart()
  t.match(await box.take(sent), [{ outcome: 'done' }])
})

await t.test('a hold or a release is done as a whole or not at all', async (t) => {
  using box = await setUpDesk(t, START)
  const [one, other] = [stored(box, START), stored(box, START)]
  const ids = [one.evidenceId, other.evidenceId]
  const release = box.sign({ kind: 'release', evidenceIds: ids })
  box.store.holds.place(one.evidenceId, { reason: 'r', by: 'b', at: START })
  t.match(await box.take(release), [{ outcome: 'refused', code: 'ERR_HOLD_UNKNOWN' }])
  t.equal(box.store.holds.list().length, 1)
  t.match(await box.take(release), [{ code: 'ERR_HOLD_UNKNOWN' }], 'the answer is repeated')
  t.equal(box.store.audit.list(100).filter(({ kind }) => kind === 'command-refused').length, 1)
})

await t.test('an answer waits until the broker has it, over a restart as well', async (t) => {
  using box = await setUpDesk(t, START)
  const sent = box.sign(hold('1/26'))
  await box.desk.take(sent.commandId, sent.envelope)
  await box.restart()
  const [waiting] = box.desk.waiting()
  t.equal(waiting?.commandId, sent.commandId)
  if (!waiting) return
  // A refusal under the same id must not be taken for the answer.
  const other = box.sign(hold('2/26', { commandId: sent.commandId }))
  await box.desk.take(sent.commandId, other.envelope)
  const refusal = box.desk.waiting().find(({ envelope }) => answerOf(box, envelope).outcome === 'refused')
  t.ok(refusal)
  if (refusal) box.desk.sent(refusal)
  t.equal(box.desk.waiting().length, 1)
  box.desk.sent(waiting)
  t.same(box.desk.waiting(), [])
})
