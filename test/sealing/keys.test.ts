import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createSigningKey, keyIdOf, loadPublicKey, loadSigningKey } from '../../src/sealing/keys.ts'
import { createSecretFile, loadSecret, replaceSecretFile } from '../../src/sealing/secret.ts'

await t.test('a signing key is made once, private, and both halves have the same id', async (t) => {
  const folder = t.testdir()
  const files = { privateFile: join(folder, 'device.key'), publicFile: join(folder, 'device.pub') }
  const made = createSigningKey(files)
  t.equal(statSync(files.privateFile).mode & 0o777, 0o600)
  t.equal(statSync(files.publicFile).mode & 0o777, 0o644)

  const loaded = loadSigningKey({ name: 'signing-key', file: files.privateFile, env: {} })
  const published = loadPublicKey(files.publicFile)
  t.match(made.id, /^[0-9a-f]{16}$/)
  t.equal(loaded.id, made.id)
  t.equal(published.id, made.id)
  t.equal(keyIdOf(published.publicKey), made.id)

  const before = readFileSync(files.privateFile, 'utf8')
  t.throws(() => createSigningKey(files), { code: 'ERR_KEY_EXISTS' })
  t.equal(readFileSync(files.privateFile, 'utf8'), before, 'the old key is untouched')
  t.throws(
    () => loadPublicKey(files.privateFile),
    { code: 'ERR_KEY_INVALID' },
    'a private key is no public key',
  )
  t.throws(() => loadSigningKey({ name: 'k', file: files.publicFile, env: {} }), { code: 'ERR_SECRET_FILE' })
})

await t.test('a secret that others may read, or that is no file, is refused', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'secret')
  writeFileSync(file, 'x')
  for (const mode of [0o640, 0o604, 0o660, 0o777, 0o610]) {
    chmodSync(file, mode)
    t.throws(() => loadSecret({ name: 'n', file, env: {} }), { code: 'ERR_SECRET_FILE' }, mode.toString(8))
  }
  for (const mode of [0o600, 0o400]) {
    chmodSync(file, mode)
    t.equal(loadSecret({ name: 'n', file, env: {} }).toString(), 'x')
  }
  t.throws(() => loadSecret({ name: 'n', file: folder, env: {} }), { code: 'ERR_SECRET_FILE' })
  t.throws(() => loadSecret({ name: 'n', file: join(folder, 'none'), env: {} }), { code: 'ERR_SECRET_FILE' })
  symlinkSync('/dev/zero', join(folder, 'zero'))
  t.throws(() => loadSecret({ name: 'n', file: join(folder, 'zero'), env: {} }), { code: 'ERR_SECRET_FILE' })
  writeFileSync(file, '')
  t.throws(() => loadSecret({ name: 'n', file, env: {} }), { code: 'ERR_SECRET_FILE' }, 'an empty secret')
})

await t.test('a systemd credential takes precedence over the file', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'secret')
  createSecretFile(file, Buffer.from('from the file'))
  const credentials = join(folder, 'credentials')
  mkdirSync(credentials)
  const env = { CREDENTIALS_DIRECTORY: credentials }
  t.equal(loadSecret({ name: 'database-key', file, env }).toString(), 'from the file')
  writeFileSync(join(credentials, 'database-key'), 'from systemd', { mode: 0o440 })
  t.equal(loadSecret({ name: 'database-key', file, env }).toString(), 'from systemd')
  t.equal(loadSecret({ name: 'another', file, env }).toString(), 'from the file')
})

await t.test('a secret is replaced whole, private, and over what an interrupted try left', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'secret')
  createSecretFile(file, Buffer.from('old'))
  writeFileSync(`${file}.new`, 'half', { mode: 0o644 })
  replaceSecretFile(file, Buffer.from('new'))
  t.equal(readFileSync(file, 'utf8'), 'new')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notOk(existsSync(`${file}.new`))
  mkdirSync(join(folder, 'taken'))
  t.throws(() => replaceSecretFile(join(folder, 'taken'), Buffer.from('new')), { code: 'ERR_SECRET_FILE' })
})

await t.test('what holds no Ed25519 key is refused, and its content is not repeated', async (t) => {
  const file = join(t.testdir(), 'bad.key')
  createSecretFile(file, Buffer.from('-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'))
  try {
    loadSigningKey({ name: 'k', file, env: {} })
    t.fail('was accepted')
  } catch (error) {
    t.match(error, { code: 'ERR_KEY_INVALID' })
    t.notMatch((error as Error).message, /c2VjcmV0/)
  }
})
