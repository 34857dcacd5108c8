import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Decrypter } from 'age-encryption'
import t from 'tap'
import type { Config } from '../../src/config/config.ts'
import { sealEvidence } from '../../src/sealing/seal.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { loadStoreKeys, openWith } from '../../src/vault/keys.ts'
import { evidenceFixture } from '../sealing/evidence.fixture.ts'
import { boxConfig, brokerlessTrial } from '../support/box.ts'
import { shortFolder } from '../support/short-folder.ts'

/** What config/keys.md promises about a box that is stolen, tried. */

const names = { site: 'main-street', device: 'box-1' }
const PLATE = 'QX7PLATE'

/** A box that keeps one evidence and runs with its device key as a credential, which `credentials` holds. */
async function setUpBox(t: { teardown(act: () => Promise<void>): void }) {
  const folder = await shortFolder(t)
  const trial = await brokerlessTrial(folder, names)
  const config = boxConfig(trial, names)
  const credentials = join(folder, 'credentials')
  mkdirSync(credentials)
  renameSync(trial.box.deviceKey, join(credentials, 'device-key'))
  const sealed = await sealEvidence(evidenceFixture({ plate: PLATE }), {
    signingKey: loadStoreKeys(config, { CREDENTIALS_DIRECTORY: credentials }).signing,
    recipients: trial.recipients,
    sealedAt: Date.now(),
  })
  {
    using store = open(config, credentials)
    store.evidence.commit(sealed, { camera: 'north', ruleId: 'bus-stop', judgedAt: 1000, at: 2000 })
  }
  // The thief gets a copy of everything that lies in the box's folder.
  const stolen = join(folder, 'stolen')
  cpSync(trial.box.directory, stolen, { recursive: true })
  return { config, credentials, stolen, sealed }
}

function open(config: Config, credentials: string): Store {
  const keys = loadStoreKeys(config, { CREDENTIALS_DIRECTORY: credentials })
  const { file, maxSizeMiB } = config.store
  return openWith(keys, (key) => openStore({ file, key, maxSizeMiB, deviceId: names.device })).opened
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.map((name) => join(folder, name)).filter((file) => statSync(file).isFile())
}

await t.test('who has the disk without the device key learns nothing from it', async (t) => {
  const { config, stolen, sealed } = await setUpBox(t)
  t.throws(() => loadStoreKeys(config, {}), { code: 'ERR_SECRET_FILE' })
  const files = filesIn(stolen)
  t.ok(files.length > 5)
  for (const file of files) {
    const text = readFileSync(file).toString('latin1')
    for (const secret of [PLATE, sealed.evidenceId, sealed.ciphertextSha256]) {
      t.notOk(text.includes(secret), file)
    }
    const device = { ...config.device, keyFile: file }
    t.throws(
      () => loadStoreKeys({ ...config, device }, {}),
      { code: /^ERR_(KEY_INVALID|KEY_WRAP|SECRET_FILE)$/ },
      `${file} is no device key`,
    )
    const { file: database, maxSizeMiB } = config.store
    const key = readFileSync(file).subarray(0, 32)
    t.throws(() => openStore({ file: database, key, maxSizeMiB, deviceId: names.device }), {
      code: 'ERR_STORE_KEY',
    })
  }
})

await t.test('who has the device key too learns when and where, and opens no evidence', async (t) => {
  const { config, credentials, stolen, sealed } = await setUpBox(t)
  using store = open(config, credentials)
  t.match(store.inventory.list(), [{ evidenceId: sealed.evidenceId, camera: 'north', judgedAt: 1000 }])
  const ciphertext = Buffer.concat(
    sealed.chunks.map((_, index) => store.outbox.chunk(sealed.evidenceId, index)),
  )
  t.notOk(ciphertext.toString('latin1').includes(PLATE))
  const texts = [...filesIn(stolen), ...filesIn(credentials)].map((file) =>
    readFileSync(file).toString('latin1'),
  )
  t.notOk(
    texts.some((text) => text.includes('AGE-SECRET-KEY')),
    'there is no age identity on the box',
  )
  const { database } = loadStoreKeys(config, { CREDENTIALS_DIRECTORY: credentials })
  const decrypter = new Decrypter()
  decrypter.addPassphrase(database.toString('hex'))
  await t.rejects(decrypter.decrypt(ciphertext))
})
