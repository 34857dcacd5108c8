import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { MAX_CHUNK_BYTES } from '../../src/protocol/limits.ts'
import { createCityIdentity, identityFile, parseIdentityFile } from '../../src/sealing/identity.ts'
import { signManifest, verifyManifest } from '../../src/sealing/manifest.ts'
import { openEvidence } from '../../src/sealing/open.ts'
import { packEvidence } from '../../src/sealing/package.ts'
import { sealEvidence } from '../../src/sealing/seal.ts'
import { evidenceFixture } from './evidence.fixture.ts'
import { signingKeyFixture, verifyKeysOf } from './keys.fixture.ts'

const PLATE = 'ZZ9PLATE9'
const operational = await createCityIdentity()
const recovery = await createCityIdentity()
const recipients = { operational: operational.recipient, recovery: recovery.recipient }
const signingKey = signingKeyFixture()
const sealedAt = Date.parse('2026-03-01T08:16:00.000Z')
const evidence = evidenceFixture({ plate: PLATE, clipBytes: 250_000 })
const sealed = await sealEvidence(evidence, { signingKey, recipients, sealedAt })
const ciphertext = Buffer.concat(sealed.chunks)
const sender = { deviceId: 'box-1', deviceKeys: verifyKeysOf(signingKey) }
const city = { ...sender, identity: operational.identity }

await t.test('either of the city’s identities opens sealed evidence', async (t) => {
  for (const { identity } of [operational, recovery]) {
    const opened = await openEvidence(sealed.manifest, ciphertext, { ...city, identity })
    t.same(opened.facts, evidence.facts)
    t.same(Buffer.from(opened.files[2]?.bytes ?? []), evidence.files[2]?.bytes)
    t.equal(opened.manifest.sealedAt, '2026-03-01T08:16:00.000Z')
  }
})

await t.test(
  'the manifest describes the ciphertext and its chunks and holds nothing of the plate',
  async (t) => {
    const manifest = verifyManifest(sealed.manifest, sender)
    t.equal(manifest.evidenceId, evidence.facts.evidenceId)
    t.equal(manifest.ciphertextBytes, ciphertext.length)
    t.equal(manifest.ciphertextSha256, sealed.ciphertextSha256)
    t.equal(manifest.ciphertextSha256, createHash('sha256').update(ciphertext).digest('hex'))
    t.equal(sealed.chunks.length, 3)
    sealed.chunks.forEach((chunk, index) => {
      t.ok(chunk.length <= MAX_CHUNK_BYTES)
      t.equal(createHash('sha256').update(chunk).digest('hex'), manifest.chunks[index])
    })
    const text = JSON.stringify(manifest) + Buffer.from(sealed.manifest).toString()
    t.notMatch(text, PLATE)
    t.notMatch(ciphertext.toString('latin1'), PLATE)
  },
)

await t.test('the age program of the distribution opens it, to the very package', async (t) => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'city.key'), identityFile(recovery), { mode: 0o600 })
  writeFileSync(join(folder, 'sealed.age'), ciphertext)
  const tar = execFileSync('age', ['-d', '-i', join(folder, 'city.key'), join(folder, 'sealed.age')], {
    maxBuffer: 10_000_000,
  })
  t.same(tar, await buffer(packEvidence(evidence)))
  const names = execFileSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' })
  t.equal(names, 'evidence.json\nbefore.jpg\nplate.png\nclip.mp4\n')
})

await t.test('an identity that age-keygen made opens it too', async (t) => {
  const made = await parseIdentityFile(
    execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  const forIt = { operational: made.recipient, recovery: recovery.recipient }
  const again = await sealEvidence(evidence, { signingKey, recipients: forIt, sealedAt })
  const opened = await openEvidence(again.manifest, Buffer.concat(again.chunks), {
    ...city,
    identity: made.identity,
  })
  t.same(opened.facts, evidence.facts)
  await t.rejects(parseIdentityFile('# nothing'), { code: 'ERR_KEY_INVALID' })
  await t.rejects(parseIdentityFile('AGE-SECRET-KEY-1NONSENSE'), { code: 'ERR_KEY_INVALID' })
})

await t.test('another identity does not open it, and what is no recipient is refused', async (t) => {
  const stranger = await createCityIdentity()
  const { manifest } = sealed
  await t.rejects(openEvidence(manifest, ciphertext, { ...city, identity: stranger.identity }), {
    code: 'ERR_DECRYPT_FAILED',
  })
  await t.rejects(openEvidence(manifest, ciphertext, { ...city, identity: 'AGE-SECRET-KEY-1' }), {
    code: 'ERR_KEY_INVALID',
  })
  const wrong = { ...recipients, recovery: 'age1nonsense' }
  await t.rejects(sealEvidence(evidence, { signingKey, recipients: wrong, sealedAt }), {
    code: 'ERR_KEY_INVALID',
  })
})

await t.test('a change anywhere in the ciphertext is found before anything is decrypted', async (t) => {
  for (let offset = 0; offset < ciphertext.length; offset += Math.ceil(ciphertext.length / 150)) {
    const changed = Uint8Array.from(ciphertext)
    changed[offset] = (changed[offset] ?? 0) ^ 0x80
    await t.rejects(
      openEvidence(sealed.manifest, changed, city),
      { code: 'ERR_CIPHERTEXT_MISMATCH' },
      `byte ${offset}`,
    )
  }
  for (const changed of [
    ciphertext.subarray(1),
    ciphertext.subarray(0, -1),
    Buffer.concat([ciphertext, Buffer.from('x')]),
  ]) {
    await t.rejects(openEvidence(sealed.manifest, changed, city), { code: 'ERR_CIPHERTEXT_MISMATCH' })
  }
  const swapped = Buffer.concat([...sealed.chunks].reverse())
  await t.rejects(openEvidence(sealed.manifest, swapped, city), { code: 'ERR_CIPHERTEXT_MISMATCH' })
})

await t.test('even signed garbage is refused: age authenticates what it decrypts', async (t) => {
  const manifest = verifyManifest(sealed.manifest, sender)
  for (const offset of [0, 30, 120, 250, 400, 1000, MAX_CHUNK_BYTES, ciphertext.length - 1]) {
    const changed = Uint8Array.from(ciphertext)
    changed[offset] = (changed[offset] ?? 0) ^ 0x01
    const ciphertextSha256 = createHash('sha256').update(changed).digest('hex')
    const envelope = signManifest({ ...manifest, ciphertextSha256 }, signingKey)
    await t.rejects(openEvidence(envelope, changed, city), { code: 'ERR_DECRYPT_FAILED' }, `byte ${offset}`)
  }
})

await t.test('a manifest of another device or key, or of another form, is refused', async (t) => {
  const manifest = verifyManifest(sealed.manifest, sender)
  const stranger = signingKeyFixture()
  t.throws(() => verifyManifest(signManifest(manifest, stranger), sender), { code: 'ERR_KEY_UNKNOWN' })
  const disguised = signManifest(manifest, { ...stranger, id: signingKey.id })
  await t.rejects(openEvidence(disguised, ciphertext, city), { code: 'ERR_SIGNATURE_INVALID' })
  t.throws(() => verifyManifest(sealed.manifest, { ...sender, deviceId: 'box-2' }), {
    code: 'ERR_MANIFEST_INVALID',
  })
  const wrong: object[] = [
    { device: 'box-2' },
    { evidenceId: '../../etc' },
    { camera: 'a/b' },
    { ciphertextBytes: 0 },
    { ciphertextBytes: 2 ** 40 },
    { chunkBytes: 1 },
    { chunks: [] },
    { chunks: manifest.chunks.slice(1) },
    { chunks: [...manifest.chunks, 'a'.repeat(64)] },
    { schema: 'roadveil.manifest.v2' },
    { plate: PLATE },
    { ciphertextSha256: 'A'.repeat(64) },
  ]
  for (const change of wrong) {
    const envelope = signManifest({ ...manifest, ...change }, signingKey)
    t.throws(
      () => verifyManifest(envelope, sender),
      { code: 'ERR_MANIFEST_INVALID' },
      JSON.stringify(change).slice(0, 50),
    )
  }
})

await t.test('a manifest that contradicts the evidence inside is refused', async (t) => {
  const manifest = verifyManifest(sealed.manifest, sender)
  const other = '00000000-0000-4000-8000-000000000000'
  for (const change of [
    { evidenceId: other },
    { camera: 'south' },
    { site: 'x' },
    { judgedAt: '2026-03-01T08:15:30.251Z' },
  ]) {
    const envelope = signManifest({ ...manifest, ...change }, signingKey)
    await t.rejects(openEvidence(envelope, ciphertext, city), { code: 'ERR_PACKAGE_MISMATCH' })
  }
})
