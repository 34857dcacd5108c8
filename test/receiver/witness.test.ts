import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Config } from '../../src/config/config.ts'
import type { Checkpoint } from '../../src/domain/checkpoint.ts'
import { loadReceiverConfig } from '../../src/receiver/config.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import { signCheckpoint } from '../../src/sealing/checkpoint.ts'
import { createSigningKey } from '../../src/sealing/keys.ts'
import { rotateDatabaseKey, rotateSigningKey } from '../../src/vault/key-change.ts'
import { runVault } from '../../src/vault/vault.ts'
import { boxConfig } from '../support/box.ts'
import { DEVICE, setUpStreet, SITE } from '../support/delivery.ts'
import { keptLog } from '../support/kept-log.ts'
import { startMosquitto, type TestBroker } from '../support/mosquitto.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'

const names = { site: SITE, device: DEVICE }
const never = { connectMs: 3000, publishMs: 3000 }

function start(run: (signal: AbortSignal) => Promise<void>): AsyncDisposable {
  const stop = new AbortController()
  const ended = run(stop.signal)
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

/** What the city last witnessed of the box. */
function latestIn(stateDirectory: string): Checkpoint | undefined {
  const file = join(stateDirectory, 'checkpoints', DEVICE, 'latest.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Checkpoint) : undefined
}

function alarmsIn(stateDirectory: string): { code: string }[] {
  const folder = join(stateDirectory, 'alarms')
  if (!existsSync(folder)) return []
  return readdirSync(folder).map(
    (name) => JSON.parse(readFileSync(join(folder, name, 'reason.json'), 'utf8')) as { code: string },
  )
}

async function startCity({ trial }: TestBroker) {
  const config = await loadReceiverConfig(trial.city.config)
  const log = keptLog()
  const timing = { connection: never, reconnect: { firstMs: 50, mostMs: 200 }, askAfterMs: 200 }
  const receiver = createReceiver(config, { logger: log, now: Date.now, env: {}, timing })
  return { ...start((signal) => receiver.run(signal)), log, state: config.stateDirectory }
}

/** Runs the box until the city has witnessed its start, and stops it. */
async function runOnce(config: Config, state: string): Promise<Checkpoint> {
  const before = JSON.stringify(latestIn(state))
  const vault = start((signal) => runVault(config, signal, { logger: keptLog() }))
  await until('the city witnesses the start', () => JSON.stringify(latestIn(state)) !== before)
  await vault[Symbol.asyncDispose]()
  const latest = latestIn(state)
  if (!latest) throw new Error('nothing was witnessed')
  return latest
}

await t.test('an old copy of the database that was put back is an alarm, once', async (t) => {
  await using broker = await startMosquitto(join(await shortFolder(t), 'trial'), names)
  const config = boxConfig(broker.trial, names)
  const { file } = config.store
  await using city = await startCity(broker)
  const { state } = city

  await runOnce(config, state)
  copyFileSync(file, `${file}.copy`)
  for (let starts = 0; starts < 3; starts++) await runOnce(config, state)
  const witnessed = latestIn(state)
  t.same(alarmsIn(state), [], 'a box that only goes on is no alarm')

  copyFileSync(`${file}.copy`, file)
  const back = await runOnce(config, state)
  t.ok(back.head.sequence < (witnessed?.head.sequence ?? 0))
  t.match(alarmsIn(state), [{ code: 'ERR_AUDIT_ROLLED_BACK', device: DEVICE }])
  t.match(
    city.log.lines.filter(({ level }) => level === 'error'),
    [{ message: /^ALARM/, fields: { error: { code: 'ERR_AUDIT_ROLLED_BACK' } } }],
  )
  await runOnce(config, state)
  t.equal(alarmsIn(state).length, 1)
})

await t.test('an old copy that has overtaken what was witnessed is found all the same', async (t) => {
  await using broker = await startMosquitto(join(await shortFolder(t), 'trial'), names)
  const config = boxConfig(broker.trial, names)
  const { file } = config.store
  {
    await using city = await startCity(broker)
    await runOnce(config, city.state)
    copyFileSync(file, `${file}.copy`)
    await runOnce(config, city.state)
  }
  // With the city away the copy goes on; the broker keeps only its latest word.
  await broker.kill()
  copyFileSync(`${file}.copy`, file)
  for (let starts = 0; starts < 3; starts++) {
    await using vault = start((signal) => runVault(config, signal, { logger: keptLog() }))
    await until('it is up', () => existsSync(join(config.runtimeDirectory, 'control.sock')))
    t.ok(vault)
  }
  await broker.restart()
  await using city = await startCity(broker)
  const back = await runOnce(config, city.state)
  t.match(alarmsIn(city.state), [{ code: 'ERR_AUDIT_FORKED' }], `row ${back.head.sequence}`)
})

await t.test('a box that changed its keys is believed, and its log goes on', async (t) => {
  await using broker = await startMosquitto(join(await shortFolder(t), 'trial'), names)
  const config = boxConfig(broker.trial, names)
  await using city = await startCity(broker)
  const before = await runOnce(config, city.state)
  const change = { config, env: {}, at: Date.now() }
  await rotateDatabaseKey(change)
  rotateSigningKey(change)
  rotateSigningKey(change)
  const after = await runOnce(config, city.state)
  t.equal(after.logId, before.logId)
  t.equal(after.marks.at(-1)?.hash, before.head.hash)
  t.same(alarmsIn(city.state), [])
})

await t.test('a city that comes later gets the latest checkpoint', async (t) => {
  await using street = await setUpStreet(t.testdir())
  street.store.audit.record('vault-started', {}, Date.now())
  const box = street.startBox()
  await until('the box is connected', () => box.forwarder.state().connected)
  await new Promise((resolve) => setTimeout(resolve, 300))
  await box.stop()
  street.startCity()
  await until('it is witnessed', () => latestIn(street.config.stateDirectory) !== undefined)
  t.match(latestIn(street.config.stateDirectory), { site: SITE, device: DEVICE, head: { sequence: 1 } })
})

await t.test('a broker that refuses checkpoints does not hold up evidence', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const { acl } = street.trial.broker
  writeFileSync(
    acl,
    readFileSync(acl, 'utf8')
      .split('\n')
      .filter((line) => !line.includes('checkpoint'))
      .join('\n'),
  )
  await street.broker.kill()
  await street.broker.restart()
  street.startCity()
  street.startBox()
  await street.commit()
  await until('it arrives', () => street.stored.length === 1)
  t.ok(street.log.lines.some(({ message }) => message === 'the city gets no checkpoint of the audit log'))
})

await t.test('a checkpoint that is forged, foreign or too large changes nothing', async (t) => {
  const directory = t.testdir()
  await using street = await setUpStreet(directory)
  street.startCity()
  await until('the city listens', () => street.log.lines.some(({ message }) => /^connected/.test(message)))
  await using box = await street.connectAs('box')
  const good: Checkpoint = {
    ...names,
    logId: 'a'.repeat(32),
    head: { sequence: 5, hash: 'f'.repeat(64) },
    marks: [],
    issuedAt: '2026-03-01T08:00:00.000Z',
  }
  const stranger = createSigningKey({ privateFile: `${directory}/x.key`, publicFile: `${directory}/x.pem` })
  const wrong = [
    signCheckpoint(good, stranger),
    signCheckpoint({ ...good, site: 'elsewhere' }, street.deviceKey),
    signCheckpoint({ ...good, device: 'box-2' }, street.deviceKey),
    Buffer.alloc(10_000, '{'),
    Buffer.from('{}'),
  ]
  const topic = `roadveil/v1/${SITE}/${DEVICE}/checkpoint`
  for (const payload of wrong) await box.publish(topic, Buffer.from(payload))
  const refused = () =>
    street.log.lines
      .filter(({ message }) => message === 'a message was not taken')
      .map(({ fields }) => fields)
  await until('all are refused', () => refused().length >= wrong.length)
  for (const fields of refused()) t.match(fields?.error, { code: /^ERR_/ })
  t.equal(latestIn(street.config.stateDirectory), undefined)
  await box.publish(topic, Buffer.from(signCheckpoint(good, street.deviceKey)))
  await until('a good one is taken', () => latestIn(street.config.stateDirectory) !== undefined)
})
