import t from 'tap'
import { MAX_MANIFEST_BYTES } from '../../src/protocol/limits.ts'
import { preAuthEncoding, signEnvelope, verifyEnvelope } from '../../src/sealing/dsse.ts'
import { signingKeyFixture, verifyKeysOf } from './keys.fixture.ts'

const TYPE = 'application/vnd.roadveil.test+json'
const key = signingKeyFixture()
const keys = verifyKeysOf(key)
const payload = Buffer.from('{"hello":"world"}')
const envelope = Buffer.from(signEnvelope(TYPE, payload, key))

await t.test('the encoding that is signed is the one of the DSSE specification', async (t) => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'))
  t.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world')
})

await t.test('a signed envelope gives its payload back', async (t) => {
  const verified = verifyEnvelope(envelope, TYPE, keys)
  t.same(Buffer.from(verified.payload), payload)
  t.equal(verified.keyId, key.id)
})

await t.test('an envelope for another purpose is refused although its signature fits', async (t) => {
  t.throws(() => verifyEnvelope(envelope, 'application/other', keys), { code: 'ERR_ENVELOPE_TYPE' })
  const relabelled = Buffer.from(envelope.toString().replace(TYPE, 'application/other'))
  t.throws(() => verifyEnvelope(relabelled, 'application/other', keys), { code: 'ERR_SIGNATURE_INVALID' })
})

await t.test('an unknown key is refused, and so is a known key id over a foreign signature', async (t) => {
  const stranger = signingKeyFixture()
  const foreign = Buffer.from(signEnvelope(TYPE, payload, stranger))
  t.throws(() => verifyEnvelope(foreign, TYPE, keys), { code: 'ERR_KEY_UNKNOWN' })
  const disguised = Buffer.from(signEnvelope(TYPE, payload, { ...stranger, id: key.id }))
  t.throws(() => verifyEnvelope(disguised, TYPE, keys), { code: 'ERR_SIGNATURE_INVALID' })
})

await t.test('no single changed byte gets through', async (t) => {
  let refused = 0
  for (let index = 0; index < envelope.length; index++) {
    const changed = Buffer.from(envelope)
    changed[index] = (changed[index] ?? 0) ^ 0x01
    try {
      verifyEnvelope(changed, TYPE, keys)
    } catch (error) {
      if (String((error as { code?: unknown }).code).startsWith('ERR_')) refused++
    }
  }
  t.equal(refused, envelope.length)
})

await t.test('what is not strictly an envelope is malformed', async (t) => {
  const parsed = JSON.parse(envelope.toString()) as Record<string, unknown>
  const signature = (parsed['signatures'] as unknown[])[0]
  const texts = [
    '',
    'null',
    '[]',
    '{}',
    '{',
    '"x"',
    envelope.toString() + 'x',
    '\ufeff' + envelope.toString(),
    JSON.stringify({ ...parsed, extra: 1 }),
    JSON.stringify({ ...parsed, signatures: [] }),
    JSON.stringify({ ...parsed, signatures: [signature, signature] }),
    JSON.stringify({ ...parsed, payload: 'not base64!' }),
    JSON.stringify({ ...parsed, payload: 'QQ' }),
    JSON.stringify({ ...parsed, payload: 'QR==' }),
    JSON.stringify({ ...parsed, payload: 1 }),
    JSON.stringify({ ...parsed, payloadType: '' }),
    JSON.stringify({ ...parsed, signatures: [{ sig: 'QQ==' }] }),
    JSON.stringify({ ...parsed, signatures: { length: 1, 0: signature } }),
    envelope.toString().replace('{', '{"__proto__":{"payloadType":"x"},'),
    '['.repeat(50_000),
    ' '.repeat(MAX_MANIFEST_BYTES + 1),
  ]
  for (const text of texts) {
    t.throws(
      () => verifyEnvelope(Buffer.from(text), TYPE, keys),
      { code: 'ERR_ENVELOPE_MALFORMED' },
      text.slice(0, 60),
    )
  }
  t.throws(() => verifyEnvelope(Buffer.from([0xff, 0xfe]), TYPE, keys), { code: 'ERR_ENVELOPE_MALFORMED' })
  t.equal(({} as Record<string, unknown>)['payloadType'], undefined, 'no prototype was touched')
})
