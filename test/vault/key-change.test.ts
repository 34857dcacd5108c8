import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Config } from '../../src/config/config.ts'
import { createDatabaseKey } from '../../src/sealing/database-key.ts'
import { parseIdentityFile } from '../../src/sealing/identity.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { type Trial } from '../../src/trial/trial.ts'
import { reportAudit } from '../../src/vault/audit.ts'
import {
  rewrapDatabaseKey,
  rotateDatabaseKey,
  rotateSigningKey,
  settleRotation,
} from '../../src/vault/key-change.ts'
import { judgeKeys, loadStoreKeys, openWith } from '../../src/vault/keys.ts'
import { createWitness } from '../../src/vault/witness.ts'
import { aboutAt, sealedFixture } from '../store/store.fixture.ts'
import { boxConfig, brokerlessTrial } from '../support/box.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'

const names = { site: 'main-street', device: 'box-1' }

async function setUpBox(t: {
  teardown(act: () => Promise<void>): void
}): Promise<{ trial: Trial; config: Config }> {
  const trial = await brokerlessTrial(await shortFolder(t), names)
  return { trial, config: boxConfig(trial, names) }
}

/** Opens the store as vault does. */
function open(config: Config, env: Record<string, string> = {}): Store {
  const keys = loadStoreKeys(config, env)
  const { file, maxSizeMiB } = config.store
  const { opened, key } = openWith(keys, (key) =>
    openStore({ file, key, maxSizeMiB, deviceId: names.device }),
  )
  settleRotation(config, { ...keys, key, env, logger: keptLog() })
  return opened
}

function keyIdsIn(config: Config): string[] {
  const { keys } = JSON.parse(readFileSync(config.store.keyFile, 'utf8')) as { keys: { keyId: string }[] }
  return keys.map(({ keyId }) => keyId)
}

const box = (config: Config, env: Record<string, string> = {}) => ({ config, env, at: Date.now() })

await t.test(
  'after a rotation of the database key everything is there, under the new key only',
  async (t) => {
    const { config } = await setUpBox(t)
    const sealed = sealedFixture(300_000)
    {
      using store = open(config)
      store.evidence.commit(sealed, aboutAt(1000))
    }
    const { database: oldKey } = loadStoreKeys(config, {})
    const before = keyIdsIn(config)
    const rotated = await rotateDatabaseKey(box(config))
    t.same([rotated.previousKeyId, rotated.keyId], [...before, ...keyIdsIn(config)])
    t.not(rotated.previousKeyId, rotated.keyId)
    t.same(readdirSync(dirname(config.store.file)).sort(), [
      'store.db',
      'store.db.ballast',
      'store.db.days',
      'store.db.evidence',
      'store.db.mark',
    ])
    t.equal(statSync(config.store.file).mode & 0o777, 0o600)
    t.equal(statSync(config.store.keyFile).mode & 0o777, 0o600)
    t.throws(
      () =>
        openWith({ database: oldKey, nextDatabase: undefined }, (key) =>
          openStore({ ...config.store, key, deviceId: 'x' }),
        ),
      {
        code: 'ERR_STORE_KEY',
      },
    )
    using store = open(config)
    t.same(store.outbox.chunk(sealed.evidenceId, 0), sealed.chunks[0])
    t.match(store.audit.list(1), [{ kind: 'database-key-rotated', details: rotated }])
    store.audit.verify()
  },
)

await t.test('a rotation that was interrupted is settled by the key that opens the store', async (t) => {
  const { config } = await setUpBox(t)
  const { keyFile, file } = config.store
  open(config)[Symbol.dispose]()
  const wraps = (): unknown[] => (JSON.parse(readFileSync(keyFile, 'utf8')) as { keys: unknown[] }).keys
  const write = (keys: unknown[]): void =>
    writeFileSync(keyFile, JSON.stringify({ schema: 'roadveil.database-key.v1', keys }))
  const before = wraps()
  const { previousKeyId, keyId } = await rotateDatabaseKey(box(config))
  const after = wraps()

  // The new database was in place already.
  write([...before, ...after])
  open(config)[Symbol.dispose]()
  t.same(keyIdsIn(config), [keyId])

  // It was not, and a part of it lies there.
  write([...after, ...before])
  writeFileSync(`${file}.next`, 'half')
  open(config)[Symbol.dispose]()
  t.same(keyIdsIn(config), [keyId])
  t.notOk(readdirSync(dirname(file)).includes('store.db.next'))

  // Another rotation comes before any vault.
  write([...before, ...after])
  const again = await rotateDatabaseKey(box(config))
  t.equal(again.previousKeyId, keyId)
  t.not(again.keyId, previousKeyId)
  open(config)[Symbol.dispose]()
})

await t.test(
  'after a rotation of the signing key the old checkpoints are still this box’s own',
  async (t) => {
    const { config } = await setUpBox(t)
    const takeCheckpoint = (store: Store): void => {
      const { signing: signingKey } = loadStoreKeys(config, {})
      createWitness({ store, ...names, signingKey, now: Date.now, logger: keptLog() }).current()
    }
    {
      using store = open(config)
      store.audit.record('vault-started', {}, 1000)
      takeCheckpoint(store)
    }
    const first = rotateSigningKey(box(config))
    const second = rotateSigningKey(box(config))
    t.equal(second.previousKeyId, first.keyId)
    t.equal(loadStoreKeys(config, {}).signing.id, second.keyId)
    using store = open(config)
    takeCheckpoint(store)
    const { signers } = loadStoreKeys(config, {})
    const { signal } = new AbortController()
    const checked = { store, deviceId: names.device, signers }
    t.match(await reportAudit(checked, { signal }), { checkpoints: 2, faults: [] })
    t.match(store.audit.list(1), [{ kind: 'signing-key-rotated', details: second }])
  },
)

await t.test('a new device key opens the store and the old one does not', async (t) => {
  const { config } = await setUpBox(t)
  open(config)[Symbol.dispose]()
  const { keyFile = '' } = config.device
  const old = readFileSync(keyFile)
  const rewrapped = await rewrapDatabaseKey(box(config), { newDeviceKey: true })
  t.equal(rewrapped.deviceKeyIds.length, 1)
  t.notSame(readFileSync(keyFile), old)
  t.equal(statSync(keyFile).mode & 0o777, 0o600)
  open(config)[Symbol.dispose]()
  writeFileSync(keyFile, old)
  t.throws(() => open(config), { code: 'ERR_KEY_WRAP' })
})

await t.test('a device key that becomes the credential opens the store before and after', async (t) => {
  const { config } = await setUpBox(t)
  open(config)[Symbol.dispose]()
  const credentials = join(dirname(config.store.keyFile), 'credentials')
  mkdirSync(credentials)
  const next = join(credentials, 'device-key')
  writeFileSync(next, randomBytes(32), { mode: 0o600 })
  await rewrapDatabaseKey(box(config), { alsoFor: next })
  const env = { CREDENTIALS_DIRECTORY: credentials }
  for (const each of [{}, env]) open(config, each)[Symbol.dispose]()
  await rewrapDatabaseKey(box(config, env), {})
  open(config, env)[Symbol.dispose]()
  t.throws(() => open(config), { code: 'ERR_KEY_WRAP' }, 'the file on the disk is worth nothing now')
  await t.rejects(rewrapDatabaseKey(box(config, env), { newDeviceKey: true }), { code: 'ERR_KEY_CREDENTIAL' })
  await rotateDatabaseKey(box(config, env))
  open(config, env)[Symbol.dispose]()
})

await t.test('with the device key lost the city’s recovery identity opens the store', async (t) => {
  const { trial, config } = await setUpBox(t)
  open(config)[Symbol.dispose]()
  const { keyFile = '' } = config.device
  const moved = { ...config, device: { ...config.device, keyFile: `${keyFile}.other` } }
  t.throws(() => open(moved), { code: 'ERR_SECRET_FILE' })
  const identityIn = async (file: string) => (await parseIdentityFile(readFileSync(file, 'utf8'))).identity
  const operational = await identityIn(trial.city.identity)
  await t.rejects(rewrapDatabaseKey(box(moved), { identity: operational }), { code: 'ERR_KEY_WRAP' })
  await rewrapDatabaseKey(box(moved), { identity: await identityIn(trial.city.recovery) })
  open(moved)[Symbol.dispose]()
  t.throws(() => open(config), { code: 'ERR_KEY_WRAP' })
})

await t.test(
  'a key as boxes had it before still opens the store, is warned about, and can be wrapped',
  async (t) => {
    const { config } = await setUpBox(t)
    const plain = randomBytes(32)
    writeFileSync(config.store.keyFile, plain)
    open(config)[Symbol.dispose]()
    const warnings = (of: Config): unknown[] => {
      const warning = judgeKeys(loadStoreKeys(of, {}), of)
      return warning ? [warning.code] : []
    }
    t.same(warnings(config), ['ERR_KEY_PLAIN'])
    await t.rejects(rotateDatabaseKey(box(config)), { code: 'ERR_KEY_PLAIN' })
    const { id, signingKeyFile } = config.device
    const device = { id, signingKeyFile }
    await t.rejects(rewrapDatabaseKey(box({ ...config, device }), {}), { code: 'ERR_SECRET_FILE' })
    const keyFile = `${config.store.keyFile}.device`
    const named = { ...config, device: { ...device, keyFile } }
    await rewrapDatabaseKey(box(named), {})
    t.equal(statSync(keyFile).mode & 0o777, 0o600, 'a device key is made where there is none')
    t.notOk(readFileSync(config.store.keyFile).includes(plain))
    t.same(warnings(named), [])
    open(named)[Symbol.dispose]()
  },
)

await t.test('a box that was made before the city gave its recipients is warned about', async (t) => {
  const { config } = await setUpBox(t)
  const files = { databaseKey: `${config.store.keyFile}.2`, deviceKey: `${config.store.keyFile}.3` }
  await createDatabaseKey(files)
  const made: Config = {
    ...config,
    device: { ...config.device, keyFile: files.deviceKey },
    store: { ...config.store, keyFile: files.databaseKey },
  }
  t.match(judgeKeys(loadStoreKeys(made, {}), made), { code: 'ERR_KEY_RECOVERY' })
  await rewrapDatabaseKey(box(made), {})
  t.equal(judgeKeys(loadStoreKeys(made, {}), made), undefined)
})

await t.test('while a vault has the store no key is changed', async (t) => {
  const { config } = await setUpBox(t)
  using store = open(config)
  t.ok(store)
  const files = [config.store.keyFile, config.device.signingKeyFile, config.device.keyFile ?? '']
  const before = files.map((file) => readFileSync(file))
  await t.rejects(rotateDatabaseKey(box(config)), { code: 'ERR_STORE_LOCKED' })
  t.throws(() => rotateSigningKey(box(config)), { code: 'ERR_STORE_LOCKED' })
  await t.rejects(rewrapDatabaseKey(box(config), { newDeviceKey: true }), { code: 'ERR_STORE_LOCKED' })
  t.same(
    files.map((file) => readFileSync(file)),
    before,
  )
})
