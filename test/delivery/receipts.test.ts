import { randomBytes, randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Receipt } from '../../src/domain/receipt.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { createSigningKey, loadSigningKey } from '../../src/sealing/keys.ts'
import { signReceipt } from '../../src/sealing/receipt.ts'
import type { SealedEvidence } from '../../src/sealing/seal.ts'
import { DEVICE, setUpStreet, SITE, type Street } from '../support/delivery.ts'
import { until } from '../support/until.ts'

const empty = ({ store }: Street): boolean => store.inventory.counts().pending === 0
const topicOf = (evidenceId: string, device = DEVICE): string =>
  `roadveil/v1/${SITE}/${device}/receipt/${evidenceId}`

function storedReceipt(sealed: SealedEvidence, change: Partial<Receipt> = {}): Omit<Receipt, 'keyId'> {
  return {
    deviceId: DEVICE,
    evidenceId: sealed.evidenceId,
    ciphertextSha256: sealed.ciphertextSha256,
    status: 'stored',
    issuedAt: '2026-03-01T08:17:00.000Z',
    ...change,
  }
}

await t.test('a receipt that is forged, foreign or replayed settles nothing', async (t) => {
  const directory = t.testdir()
  await using street = await setUpStreet(directory)
  const sealed = await street.commit()
  const other = await street.seal()
  const cityKey = loadSigningKey({ name: 'none', file: street.trial.city.receiptKey, env: {} })
  const strangerKey = createSigningKey({
    privateFile: `${directory}/stranger.key`,
    publicFile: `${directory}/stranger.pem`,
  })
  const good = signReceipt(storedReceipt(sealed), cityKey)
  const envelope = JSON.parse(Buffer.from(good).toString()) as { payload: string; signatures: object[] }
  const changed = JSON.stringify({ ...envelope, payload: Buffer.from('{}').toString('base64') })
  const unsigned = JSON.stringify({ ...envelope, signatures: [] })
  const asOther = { ...strangerKey, id: cityKey.id }
  const bad: [string, Uint8Array][] = [
    ['signed by a stranger', signReceipt(storedReceipt(sealed), strangerKey)],
    ["signed by a stranger under the city's key id", signReceipt(storedReceipt(sealed), asOther)],
    ['signed by the box itself', signReceipt(storedReceipt(sealed), street.deviceKey)],
    ['with another payload under the signature', Buffer.from(changed)],
    ['without a signature', Buffer.from(unsigned)],
    ['for another device', signReceipt(storedReceipt(sealed, { deviceId: 'box-2' }), cityKey)],
    ['for other evidence', signReceipt(storedReceipt(other), cityKey)],
    [
      'for another ciphertext',
      signReceipt(storedReceipt(sealed, { ciphertextSha256: other.ciphertextSha256 }), cityKey),
    ],
    [
      'that says rejected',
      signReceipt(storedReceipt(sealed, { status: 'rejected', reason: 'ERR_X' }), cityKey),
    ],
    ['that is the manifest', sealed.manifest],
    ['that is empty', Buffer.alloc(0)],
    ['that is too large', randomBytes(17_000)],
    ['that is nearly the largest packet', randomBytes(100_000)],
  ]
  const { forwarder } = street.startBox({ answerMs: 50 })
  await until('the box is connected', () => forwarder.state().connected)
  await using city = await street.connectAs('city')
  for (const [, payload] of bad) await city.publish(topicOf(sealed.evidenceId), Buffer.from(payload))
  // All but `rejected`, which is the city's word but deletes nothing.
  await until('all were looked at', () => forwarder.state().refusedReceipts >= bad.length - 1)
  t.equal(forwarder.state().settled, 0)
  t.notOk(empty(street))

  await city.publish(topicOf(sealed.evidenceId), Buffer.from(good))
  await until('the good one settles', () => empty(street))
  const refused = forwarder.state().refusedReceipts
  for (let times = 0; times < 3; times++) await city.publish(topicOf(sealed.evidenceId), Buffer.from(good))
  const next = await street.commit()
  await city.publish(topicOf(next.evidenceId), Buffer.from(good))
  await until('the replay is refused', () => forwarder.state().refusedReceipts > refused)
  t.equal(forwarder.state().settled, 1, 'a doubled receipt settles once')
  t.equal(street.store.inventory.counts().pending, 1)
})

await t.test(
  'hundreds of receipts with something wrong each give a code, and the next good one works',
  async (t) => {
    await using street = await setUpStreet(t.testdir())
    const sealed = await street.commit()
    const cityKey = loadSigningKey({ name: 'none', file: street.trial.city.receiptKey, env: {} })
    const good = Buffer.from(signReceipt(storedReceipt(sealed), cityKey))
    const { forwarder } = street.startBox({ answerMs: 50 })
    await until('the box is connected', () => forwarder.state().connected)
    await using city = await street.connectAs('city')
    const count = 300
    for (let index = 0; index < count; index++) {
      const payload = Buffer.from(good)
      const at = Math.floor((index / count) * payload.length)
      payload[at] = (payload[at] ?? 0) ^ (1 + (index % 127))
      await city.publish(topicOf(index % 7 === 0 ? randomUUID() : sealed.evidenceId), payload)
    }
    await until('all were refused', () => forwarder.state().refusedReceipts === count)
    t.equal(forwarder.state().settled, 0)
    for (const { fields } of street.log.lines.filter(({ message }) => message === 'a receipt was ignored')) {
      t.match((fields?.error as { code?: string }).code, /^ERR_/)
    }
    await city.publish(topicOf(sealed.evidenceId), good)
    await until('the good one settles', () => empty(street))
  },
)

await t.test('evidence that never gets through does not hold up the others', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const at = Date.now()
  const about = { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: at, at }
  // Too large for a packet, nothing that the city could read, and of a site that is not ours.
  const parts = async () => street.seal()
  street.store.evidence.commit({ ...(await parts()), manifest: randomBytes(131_000) }, about)
  for (let index = 0; index < 5; index++) {
    street.store.evidence.commit({ ...(await parts()), manifest: randomBytes(500) }, about)
  }
  street.store.evidence.commit(await street.seal({ site: 'elsewhere' }), about)
  const good = [await street.commit(), await street.commit(), await street.commit()]
  street.startCity()
  const { forwarder } = street.startBox()
  await until('the good ones are there', () => forwarder.state().settled === good.length)
  t.strictSame(
    new Set(street.stored.map(({ evidenceId }) => evidenceId)),
    new Set(good.map(({ evidenceId }) => evidenceId)),
  )
  const codes = (): Set<string | undefined> =>
    new Set(
      street.log.lines
        .filter(({ message }) => message === 'evidence was set aside')
        .map(({ fields }) => (fields?.error as { code?: string }).code),
    )
  const reasons = ['ERR_MESSAGE_TOO_LARGE', 'ERR_RECEIPT_MISSING', 'ERR_EVIDENCE_REJECTED']
  // A city that answers late is asked again, after the good ones.
  await until('each says why it waits', () => reasons.every((code) => codes().has(code)))
  t.equal(street.store.inventory.counts().pending, 7, 'nothing of it is given up')
})

await t.test(
  'evidence for which the broker hangs up does so once in a while, and not as often as it can',
  async (t) => {
    await using street = await setUpStreet(t.testdir())
    await street.broker.kill()
    appendFileSync(street.trial.broker.config, 'message_size_limit 20000\n')
    await street.broker.restart()
    await street.commit(25_000)
    street.startCity()
    street.startBox({ patienceMs: 2000 })
    const hungUp = (): number =>
      street.log.lines.filter(
        ({ message, fields }) =>
          message === 'evidence was set aside' && isRoadveilError(fields?.error, 'ERR_BROKER_HANGS_UP'),
      ).length
    await until('it was set aside twice', () => hungUp() === 2)
    // Its own waits are 0.2 s at most.
    await sleep(5000)
    t.ok(hungUp() >= 3 && hungUp() <= 5, `${hungUp()} times`)
  },
)

await t.test('evidence on legal hold is confirmed and kept', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const sealed = await street.commit()
  const { evidenceId } = sealed
  street.store.holds.place(evidenceId, { caseNumber: 'C-1', reason: 'court', by: 'clerk', at: Date.now() })
  street.startCity()
  const { forwarder } = street.startBox()
  await until('it is confirmed', () => forwarder.state().settled === 1)
  t.ok(empty(street))
  t.strictSame(street.store.outbox.manifest(evidenceId), Buffer.from(sealed.manifest))
})
