import t from 'tap'
import type { Checkpoint } from '../../src/domain/checkpoint.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { MAX_CHECKPOINT_BYTES, MAX_CHECKPOINT_MARKS } from '../../src/protocol/limits.ts'
import { signCheckpoint, verifyCheckpoint } from '../../src/sealing/checkpoint.ts'
import { signReceipt } from '../../src/sealing/receipt.ts'
import { signingKeyFixture, verifyKeysOf } from './keys.fixture.ts'

const key = signingKeyFixture()
const sender = { deviceId: 'box-1', deviceKeys: verifyKeysOf(key) }

function checkpoint(change: Partial<Checkpoint> = {}): Checkpoint {
  return {
    site: 'hill-street',
    device: 'box-1',
    logId: 'a'.repeat(32),
    head: { sequence: 1_000_000, hash: 'f'.repeat(64) },
    marks: Array.from({ length: MAX_CHECKPOINT_MARKS }, (_, i) => ({
      sequence: 900_000 + i,
      hash: String(i % 10).repeat(64),
    })),
    issuedAt: '2026-03-01T08:00:00.000Z',
    ...change,
  }
}

await t.test('a checkpoint is read back as it was signed, and the largest one fits its limit', async (t) => {
  const envelope = signCheckpoint(checkpoint(), key)
  t.strictSame(verifyCheckpoint(envelope, sender), checkpoint())
  t.ok(envelope.length < MAX_CHECKPOINT_BYTES, `${envelope.length} bytes`)
})

await t.test('a checkpoint of another key, device, purpose or form is refused with its code', async (t) => {
  const stranger = signingKeyFixture()
  const mark = { sequence: 7, hash: 'e'.repeat(64) }
  const cases: readonly [Uint8Array, string][] = [
    [signCheckpoint(checkpoint(), stranger), 'ERR_KEY_UNKNOWN'],
    [signCheckpoint(checkpoint(), { ...stranger, id: key.id }), 'ERR_SIGNATURE_INVALID'],
    [signCheckpoint(checkpoint({ device: 'box-2' }), key), 'ERR_CHECKPOINT_INVALID'],
    [signCheckpoint(checkpoint({ marks: [mark, mark] }), key), 'ERR_CHECKPOINT_INVALID'],
    [signCheckpoint(checkpoint({ head: mark }), key), 'ERR_CHECKPOINT_INVALID'],
    [signCheckpoint(checkpoint({ logId: '../x' }), key), 'ERR_CHECKPOINT_INVALID'],
    [
      signReceipt(
        {
          deviceId: 'box-1',
          evidenceId: '0b0c9c5e-7a68-4a4c-9d11-2f6f1f0e5a11',
          ciphertextSha256: 'a'.repeat(64),
          status: 'stored',
          issuedAt: '2026-03-01T08:00:00.000Z',
        },
        key,
      ),
      'ERR_ENVELOPE_TYPE',
    ],
  ]
  for (const [envelope, code] of cases) t.throws(() => verifyCheckpoint(envelope, sender), { code })
})

await t.test('no changed byte of a checkpoint is believed', async (t) => {
  const envelope = signCheckpoint(checkpoint({ marks: [] }), key)
  for (let at = 0; at < envelope.length; at++) {
    const changed = Buffer.from(envelope)
    changed[at] = (changed[at] ?? 0) ^ (1 + (at % 127))
    try {
      verifyCheckpoint(changed, sender)
      t.fail(`byte ${at}`)
    } catch (error) {
      if (!isRoadveilError(error)) t.fail(`byte ${at} gave no code`)
    }
  }
})
