import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateHybridIdentity, identityToRecipient } from 'age-encryption'
import t from 'tap'
import {
  createDatabaseKey,
  databaseKeyFile,
  loadDeviceKey,
  randomKey,
  readDatabaseKey,
  unwrapForDevice,
  unwrapForRecovery,
  wrapDatabaseKey,
} from '../../src/sealing/database-key.ts'
import { createCityIdentity, identityFile } from '../../src/sealing/identity.ts'
import { createSecretFile } from '../../src/sealing/secret.ts'

const source = (file: string) => ({ name: 'database-key', file, env: {} })

await t.test('a wrapped key comes back with the device key, and no key stands in the file', async (t) => {
  const [key, one, two] = [randomKey(), randomKey(), randomKey()]
  const wrapped = await wrapDatabaseKey(key, { deviceKeys: [one, two] })
  const text = databaseKeyFile([wrapped]).toString()
  for (const secret of [key, one, two]) {
    for (const form of ['hex', 'base64'] as const) t.notOk(text.includes(secret.toString(form)), form)
  }
  for (const deviceKey of [one, two]) t.same(unwrapForDevice(wrapped, deviceKey), key)
  t.throws(() => unwrapForDevice(wrapped, randomKey()), { code: 'ERR_KEY_WRAP' })
})

await t.test('a wrap that was changed or belongs to another key is refused', async (t) => {
  const [key, deviceKey] = [randomKey(), randomKey()]
  const wrapped = await wrapDatabaseKey(key, { deviceKeys: [deviceKey] })
  const [wrap] = wrapped.device
  if (!wrap) throw new Error('no wrap')
  const sealed = Buffer.from(wrap.sealed, 'base64')
  for (const at of [0, 20, 40, sealed.length - 1]) {
    const changed = Buffer.from(sealed)
    changed[at] = (changed[at] ?? 0) ^ 1
    const device = [{ ...wrap, sealed: changed.toString('base64') }]
    t.throws(() => unwrapForDevice({ ...wrapped, device }, deviceKey), { code: 'ERR_KEY_WRAP' })
  }
  t.throws(() => unwrapForDevice({ ...wrapped, keyId: 'a'.repeat(16) }, deviceKey), { code: 'ERR_KEY_WRAP' })
  t.throws(() => unwrapForDevice({ ...wrapped, device: [{ ...wrap, sealed: '' }] }, deviceKey), {
    code: 'ERR_KEY_WRAP',
  })
})

await t.test('the recovery wrap opens with the city’s identity, and with any age program', async (t) => {
  const city = await createCityIdentity()
  const key = randomKey()
  const wrapped = await wrapDatabaseKey(key, { deviceKeys: [], recovery: city.recipient })
  t.same(await unwrapForRecovery(wrapped, city.identity), key)

  const identity = join(t.testdir(), 'recovery.txt')
  writeFileSync(identity, identityFile(city))
  t.same(execFileSync('age', ['-d', '-i', identity], { input: wrapped.recovery?.age ?? '' }), key)

  const stranger = await createCityIdentity()
  await t.rejects(unwrapForRecovery(wrapped, stranger.identity), { code: 'ERR_KEY_WRAP' })
  await t.rejects(unwrapForRecovery({ ...wrapped, recovery: null }, city.identity), { code: 'ERR_KEY_WRAP' })
  const planted = await wrapDatabaseKey(randomKey(), { deviceKeys: [], recovery: city.recipient })
  await t.rejects(unwrapForRecovery({ ...planted, keyId: wrapped.keyId }, city.identity), {
    code: 'ERR_KEY_WRAP',
  })
  await t.rejects(wrapDatabaseKey(key, { deviceKeys: [], recovery: 'age1nobody' }), {
    code: 'ERR_KEY_INVALID',
  })
})

await t.test('a recovery key may be hybrid post-quantum', async (t) => {
  const identity = await generateHybridIdentity()
  const key = randomKey()
  const recovery = await identityToRecipient(identity)
  const file = join(t.testdir(), 'database.key')
  createSecretFile(
    file,
    databaseKeyFile([await wrapDatabaseKey(key, { deviceKeys: [randomKey()], recovery })]),
  )
  const stored = readDatabaseKey(source(file))
  const [wrapped] = stored.form === 'wrapped' ? stored.keys : []
  t.same(wrapped && (await unwrapForRecovery(wrapped, identity)), key)
})

await t.test('new keys are private, and never made over others', async (t) => {
  const folder = t.testdir()
  const files = { databaseKey: join(folder, 'database.key'), deviceKey: join(folder, 'device.key') }
  await createDatabaseKey(files)
  for (const file of Object.values(files)) t.equal(statSync(file).mode & 0o777, 0o600)
  const before = readFileSync(files.databaseKey, 'utf8')
  await t.rejects(createDatabaseKey(files), { code: 'ERR_KEY_EXISTS' })
  t.equal(readFileSync(files.databaseKey, 'utf8'), before)
  const stored = readDatabaseKey(source(files.databaseKey))
  const [wrapped] = stored.form === 'wrapped' ? stored.keys : []
  t.equal(wrapped && unwrapForDevice(wrapped, loadDeviceKey(source(files.deviceKey))).length, 32)
})

await t.test('32 bytes are a key as it is; everything else is refused without being repeated', async (t) => {
  const folder = t.testdir()
  const plain = randomBytes(32)
  createSecretFile(join(folder, 'plain'), plain)
  t.same(readDatabaseKey(source(join(folder, 'plain'))), { form: 'plain', key: plain })
  const wrong = [
    'x'.repeat(31),
    'x'.repeat(33),
    '{"schema":"c0ffee"}',
    '{"schema":"roadveil.database-key.v1","keys":[]}',
  ]
  for (const [index, content] of wrong.entries()) {
    const file = join(folder, String(index))
    createSecretFile(file, Buffer.from(content))
    t.throws(() => readDatabaseKey(source(file)), { code: 'ERR_KEY_INVALID', message: /^(?!.*(xxx|c0ffee))/ })
    t.throws(() => loadDeviceKey(source(file)), { code: 'ERR_KEY_INVALID' })
  }
})
