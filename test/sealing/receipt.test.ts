import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import t from 'tap'
import type { Receipt } from '../../src/domain/receipt.ts'
import { signEnvelope } from '../../src/sealing/dsse.ts'
import { signManifest } from '../../src/sealing/manifest.ts'
import { signReceipt, verifyReceipt } from '../../src/sealing/receipt.ts'
import { signingKeyFixture, verifyKeysOf } from './keys.fixture.ts'

const TYPE = 'application/vnd.roadveil.receipt.v1+json'
const cityKey = signingKeyFixture()
const cityKeys = verifyKeysOf(cityKey, signingKeyFixture())
const box = { deviceId: 'box-1' }

function receiptOf(change: Partial<Receipt> = {}): Omit<Receipt, 'keyId'> {
  return {
    deviceId: 'box-1',
    evidenceId: randomUUID(),
    ciphertextSha256: randomBytes(32).toString('hex'),
    status: 'stored',
    issuedAt: '2026-03-01T08:17:00.000Z',
    ...change,
  }
}

await t.test('a receipt of the city for this device is believed, whatever its status', async (t) => {
  const receipts = [
    receiptOf(),
    receiptOf({ status: 'duplicate' }),
    receiptOf({ status: 'incomplete', missing: [0, 5] }),
    receiptOf({ status: 'rejected', reason: 'ERR_SIGNATURE_INVALID' }),
  ]
  for (const receipt of receipts) {
    t.same(verifyReceipt(signReceipt(receipt, cityKey), cityKeys, box), { ...receipt, keyId: cityKey.id })
  }
})

await t.test('hundreds of forged, foreign and misshapen receipts give their codes', async (t) => {
  const stranger = signingKeyFixture()
  const nasty = ['', '../x', '__proto__', 'box-1\u0000', 'BOX-1', 'box 1', null, 1, [], {}, 'x'.repeat(100)]
  const misshapen = (): object => {
    const receipt: Record<string, unknown> = { ...receiptOf(), keyId: cityKey.id }
    const names = ['deviceId', 'evidenceId', 'ciphertextSha256', 'status', 'keyId', 'issuedAt']
    const name = names[randomInt(names.length)] ?? 'status'
    if (randomInt(2) === 0) Reflect.deleteProperty(receipt, name)
    else receipt[name] = nasty[randomInt(nasty.length)]
    return receipt
  }
  const wrong: Record<string, () => [string, Uint8Array]> = {
    stranger: () => ['ERR_KEY_UNKNOWN', signReceipt(receiptOf(), stranger)],
    disguised: () => ['ERR_SIGNATURE_INVALID', signReceipt(receiptOf(), { ...stranger, id: cityKey.id })],
    foreign: () => [
      'ERR_RECEIPT_INVALID',
      signReceipt(receiptOf({ deviceId: `box-${randomInt(2, 100)}` }), cityKey),
    ],
    otherPurpose: () => ['ERR_ENVELOPE_TYPE', signManifest(receiptOf() as never, cityKey)],
    misshapen: () => [
      'ERR_RECEIPT_INVALID',
      signEnvelope(TYPE, Buffer.from(JSON.stringify(misshapen())), cityKey),
    ],
    noise: () => ['ERR_ENVELOPE_MALFORMED', randomBytes(randomInt(1, 2000))],
    bitFlip: () => {
      const bytes = Buffer.from(signReceipt(receiptOf(), cityKey))
      const index = randomInt(bytes.length)
      bytes[index] = (bytes[index] ?? 0) ^ (1 << randomInt(7))
      return ['ERR_', bytes]
    },
  }
  for (const [name, make] of Object.entries(wrong)) {
    let refused = 0
    for (let round = 0; round < 100; round++) {
      const [code, bytes] = make()
      try {
        verifyReceipt(bytes, cityKeys, box)
      } catch (error) {
        if (String((error as { code?: unknown }).code).startsWith(code)) refused++
        else t.comment(name, error)
      }
    }
    t.equal(refused, 100, name)
  }
})

await t.test('a receipt says only what its status allows', async (t) => {
  const wrong: Partial<Record<keyof Receipt, unknown>>[] = [
    { status: 'stored', missing: [1] },
    { status: 'stored', reason: 'ERR_X' },
    { status: 'incomplete' },
    { status: 'incomplete', missing: [] },
    { status: 'incomplete', missing: [-1] },
    { status: 'incomplete', missing: [1.5] },
    { status: 'incomplete', missing: [1e9] },
    { status: 'incomplete', missing: Array.from({ length: 5000 }, () => 1) },
    { status: 'rejected' },
    { status: 'rejected', reason: 'because\u001b[2J' },
    { status: 'deleted' },
    { keyId: 'another' },
    { extra: true } as never,
  ]
  for (const change of wrong) {
    const payload = Buffer.from(JSON.stringify({ ...receiptOf(), keyId: cityKey.id, ...change }))
    const bytes = signEnvelope(TYPE, payload, cityKey)
    t.throws(
      () => verifyReceipt(bytes, cityKeys, box),
      { code: 'ERR_RECEIPT_INVALID' },
      JSON.stringify(change).slice(0, 60),
    )
  }
})
