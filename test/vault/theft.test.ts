import { createPrivateKey } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Decrypter } from 'age-encryption'
import t from 'tap'
import { sceneCamera } from '../../scripts/demo/trial.ts'
import type { Config } from '../../src/config/config.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { endorsementTopic } from '../../src/protocol/topics.ts'
import { signEndorsement } from '../../src/sealing/endorsement.ts'
import { createSigningKey, loadPublicKey, loadSigningKey } from '../../src/sealing/keys.ts'
import { sealEvidence } from '../../src/sealing/seal.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { loadStoreKeys, openWith } from '../../src/vault/keys.ts'
import { evidenceFixture } from '../sealing/evidence.fixture.ts'
import { startRoadveil } from '../cli/roadveil.ts'
import { boxConfig, boxSettings, brokerlessTrial } from '../support/box.ts'
import { deskOn, type SentCommand, signDraft } from '../support/command-desk.ts'
import { DEVICE, setUpStreet, SITE, STATION } from '../support/delivery.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { passwordFor } from '../support/handled.ts'
import { secretsInMemory } from '../support/memory-of.ts'
import { shortFolder } from '../support/short-folder.ts'
import { killed } from '../support/town.ts'
import { until } from '../support/until.ts'

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

await t.test(
  'who has the keys of the box sends evidence as the box until the city puts another key in place, and opens none',
  async (t) => {
    const directory = t.testdir()
    await using street = await setUpStreet(directory)
    const { trial } = street
    const stolen = loadSigningKey({ name: 'none', file: trial.box.signingKey, env: {} })
    const forge = async (): Promise<string> => {
      const at = Date.now()
      const evidence = syntheticEvidence({ site: SITE, device: DEVICE, plateText: PLATE })
      const sealed = await sealEvidence(evidence, {
        signingKey: stolen,
        recipients: trial.recipients,
        sealedAt: at,
      })
      street.store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'none', judgedAt: at, at })
      return sealed.evidenceId
    }
    const accepted = (id: string) => () => street.stored.some(({ evidenceId }) => evidenceId === id)
    street.startCity()
    await using box = street.startBox()
    const first = await forge()
    await until('the city believes it', accepted(first))

    // What config/keys.md says to do after a theft.
    const folder = join(directory, 'new')
    mkdirSync(folder)
    const next = { privateFile: join(folder, 'signing.key'), publicFile: join(folder, 'public.pem') }
    const own = createSigningKey(next)
    copyFileSync(next.publicFile, join(trial.city.devices, `${DEVICE}.pem`))
    const second = await forge()
    await until('the city refuses it', () => box.forwarder.state().lastErrorCode === 'ERR_EVIDENCE_REJECTED')
    t.notOk(accepted(second)())
    t.ok(street.log.lines.some(({ fields }) => isRoadveilError(fields?.error, 'ERR_KEY_UNKNOWN')))
    street.log.lines.length = 0
    const endorsement = signEndorsement(
      { device: DEVICE, issuedAt: '2026-03-01T08:00:00.000Z', next: own },
      stolen,
    )
    const thief = await street.connectAs('box')
    await thief.publish(endorsementTopic(STATION, own.id), Buffer.from(endorsement))
    await until('what the stolen key says of others is not believed, either', () =>
      street.log.lines.some(({ fields }) => isRoadveilError(fields?.error, 'ERR_KEY_UNKNOWN')),
    )
    await thief[Symbol.asyncDispose]()
  },
)

await t.test('who has the command key places holds until the box is told to forget that key', async (t) => {
  const trial = await brokerlessTrial(await shortFolder(t), names)
  const config = boxConfig(trial, names)
  const { file, maxSizeMiB } = config.store
  const { database: key } = loadStoreKeys(config, {})
  using store = openStore({ file, key, maxSizeMiB, deviceId: names.device })
  const stolen = loadSigningKey({ name: 'none', file: trial.city.commandKey, env: {} })
  const { id, publicKey } = loadPublicKey(trial.box.commandPublicKey)
  const at = Date.now()
  const about = { config, now: () => at, isClockPlausible: async () => true }
  const hold = (caseNumber: string): SentCommand =>
    signDraft(
      { kind: 'hold', caseNumber, subject: { criteria: { camera: 'north' } } },
      { config, key: stolen, at },
    )
  const cases = (): unknown[] => store.holds.list().map(({ caseNumber }) => caseNumber)

  const before = await deskOn(store, { ...about, cityKeys: new Map([[id, publicKey]]) })
  const first = hold('1/26')
  await before.desk.take(first.commandId, first.envelope)
  t.same(cases(), ['1/26'])

  const after = await deskOn(store, { ...about, cityKeys: new Map() })
  const second = hold('2/26')
  await after.desk.take(second.commandId, second.envelope)
  t.same(cases(), ['1/26'])
  t.match(store.audit.list(1), [{ kind: 'command-refused', details: { code: 'ERR_KEY_UNKNOWN' } }])
})

await t.test(
  'root on the live box finds no key in the memory of vision, and no password of a camera in that of vault',
  async (t) => {
    const folder = await shortFolder(t)
    const trial = await brokerlessTrial(folder, names)
    mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
    const password = passwordFor('the camera of a stolen box')
    const credentialsFile = join(trial.box.directory, 'keys', 'camera')
    writeFileSync(credentialsFile, `operator:${password}\n`, { mode: 0o600 })
    const camera = sceneCamera('cam-1', { url: 'rtsp://127.0.0.1:1/stream', credentialsFile })
    writeFileSync(trial.box.config, JSON.stringify(boxSettings(trial, names, [camera])))
    const signing = readFileSync(trial.box.signingKey, 'utf8')
    const secrets = {
      password: Buffer.from(password),
      // The end of a PKCS #8 body of Ed25519.
      'signing key': createPrivateKey(signing).export({ type: 'pkcs8', format: 'der' }).subarray(-32),
      'device key': readFileSync(trial.box.deviceKey),
    }
    const [vault, vision] = (['vault', 'vision'] as const).map((verb) =>
      startRoadveil([verb, '--config', trial.box.config]),
    )
    if (!vault || !vision) throw new Error('there are two')
    try {
      await until('both are at work', () =>
        [vault, vision].every((each) => /cam-1|broker/.test(each.output().stderr)),
      )
      t.same(
        secretsInMemory(vision.pid ?? 0, secrets),
        ['password'],
        'it sees what the camera sees, and signs nothing',
      )
      const inVault = secretsInMemory(vault.pid ?? 0, secrets)
      t.ok(inVault.includes('signing key'), 'root can sign as the box')
      t.notOk(inVault.includes('password'))
    } finally {
      for (const each of [vault, vision]) await killed(each)
    }
  },
)
