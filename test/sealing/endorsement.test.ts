import { createPublicKey } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { signEndorsement, verifyEndorsement } from '../../src/sealing/endorsement.ts'
import { createSigningKey, loadSigningKey } from '../../src/sealing/keys.ts'
import { readSigningFile, rotateSigningFile, signersOf } from '../../src/sealing/signing-file.ts'
import { signingKeyFixture, verifyKeysOf } from './keys.fixture.ts'

const about = { device: 'box-1', issuedAt: '2026-03-01T08:00:00.000Z' }

await t.test(
  'an endorsement gives the new key, for the device and by the key that are known only',
  async (t) => {
    const [old, next, stranger] = [signingKeyFixture(), signingKeyFixture(), signingKeyFixture()]
    const envelope = signEndorsement({ ...about, next }, old)
    const read = verifyEndorsement(envelope, { deviceId: 'box-1', deviceKeys: verifyKeysOf(old) })
    t.match(read, { ...about, previousKeyId: old.id, keyId: next.id })
    t.ok(read.publicKey.equals(createPublicKey(next.privateKey)))

    const check = (bytes: Uint8Array, deviceId = 'box-1') =>
      verifyEndorsement(bytes, { deviceId, deviceKeys: verifyKeysOf(old) })
    t.throws(() => check(envelope, 'box-2'), { code: 'ERR_ENDORSEMENT_INVALID' })
    t.throws(() => check(signEndorsement({ ...about, next }, stranger)), { code: 'ERR_KEY_UNKNOWN' })
    t.throws(() => check(signEndorsement({ ...about, next }, { ...stranger, id: old.id })), {
      code: 'ERR_SIGNATURE_INVALID',
    })
    t.throws(() => check(signEndorsement({ ...about, next: { ...next, id: stranger.id } }, old)), {
      code: 'ERR_ENDORSEMENT_INVALID',
    })
  },
)

await t.test('a rotated key file holds the new key and everything its predecessors said', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'device.pem')
  const source = { name: 'signing-key', file, env: {} }
  const first = createSigningKey({ privateFile: file, publicFile: join(folder, 'public.pem') })
  const keys = [first]
  for (let i = 0; i < 3; i++) keys.push(rotateSigningFile(file, readSigningFile(source), about))

  t.same(readdirSync(folder).sort(), ['device.pem', 'public.pem'])
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(readFileSync(file, 'utf8').match(/BEGIN PRIVATE KEY/g)?.length, 1, 'the old keys are gone')
  t.equal(loadSigningKey(source).id, keys.at(-1)?.id)
  const found = readSigningFile(source)
  t.same(
    found.endorsements.map(({ keyId }) => keyId),
    keys.slice(1).map(({ id }) => id),
  )
  t.same([...signersOf(found, 'box-1').keys()].sort(), keys.map(({ id }) => id).sort())
  t.throws(() => signersOf(found, 'box-2'), { code: 'ERR_ENDORSEMENT_INVALID' })
})
