import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sceneCamera } from '../../scripts/demo/trial.ts'
import { connectVault } from '../../src/channel/link.ts'
import { createAuthority } from '../../src/trial/pki.ts'
import { VERSION } from '../../src/version.ts'
import { startRoadveil } from '../cli/roadveil.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'
import { NAMES, type Town, logged, quickStatus, setUpTown, waitFor } from '../support/town.ts'

const PROJECT = join(import.meta.dirname, '..', '..')

const CAMERA = sceneCamera('cam-1', { url: 'rtsp://127.0.0.1:1/stream' })

/** Hands evidence to the box's vault as vision does. */
async function deliver({ config }: Town, clipBytes = 150_000): Promise<string> {
  const socketPath = join(config.runtimeDirectory, 'vault.sock')
  const hello = { version: VERSION, configSha256: config.sha256 }
  await using link = connectVault({ socketPath, hello, logger: keptLog() }, AbortSignal.timeout(30_000))
  const evidence = syntheticEvidence({ ...NAMES, camera: 'cam-1', configSha256: config.sha256, clipBytes })
  const answer = await link.deliver(evidence)
  if (answer !== 'stored') throw new Error(`vault refused: ${answer.refused}`)
  return evidence.facts.evidenceId
}

/** A release like this one, whose networks can be spoilt. */
async function copyRelease(t: Test): Promise<string> {
  const release = await shortFolder(t)
  for (const part of ['src', 'models', 'package.json'])
    cpSync(join(PROJECT, part), join(release, part), { recursive: true })
  symlinkSync(join(PROJECT, 'node_modules'), join(release, 'node_modules'))
  return release
}

await t.test('a wrong network keeps vision from starting, and vault goes on', async (t) => {
  const release = await copyRelease(t)
  const wrong = join(release, 'models', 'roadveil_vehicles.onnx')
  // As long as the right one and one bit off, as a bad disk would have it.
  const bytes = readFileSync(wrong)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  writeFileSync(wrong, bytes)

  const main = join(release, 'src', 'cli', 'main.ts')
  const town = await setUpTown(t, [CAMERA], { main })
  town.startReceiver()
  const box = town.startBox('run')
  await waitFor('vision has given up twice', () => logged(box, 'vision stopped').length >= 2)
  for (const line of logged(box, 'vision stopped'))
    t.match(line, { process: 'vision', code: 'ERR_MODEL_HASH' })
  t.same(logged(box, 'vision is ready'), [])

  const status = await town.status()
  t.equal(status.processes.vision, null)
  t.ok(status.warnings.some(({ code }) => code === 'ERR_VISION_GONE'))
  t.match(await startRoadveil(['models', 'list'], { main }).ended, {
    code: 1,
    stdout: /roadveil_vehicles\.onnx .* wrong/,
    stderr: /ERR_MODEL_HASH/,
  })

  const evidenceId = await deliver(town)
  await waitFor('the city has it', async () => (await quickStatus(town))?.store.tombstones === 1)
  t.match(town.opened(), [new RegExp(evidenceId)])
})

await t.test("a certificate of another authority does not reach the city's broker", async (t) => {
  const town = await setUpTown(t, [CAMERA])
  const stranger = await (await createAuthority(new Date())).client(NAMES.device)
  writeFileSync(town.trial.box.certificate, stranger.certificate)
  writeFileSync(town.trial.box.key, stranger.key, { mode: 0o600 })
  town.startReceiver()
  town.startBox('vault')
  await town.status()
  const evidenceId = await deliver(town)
  await waitFor('the broker has refused', async () => {
    const status = await quickStatus(town)
    return (
      status?.delivery.code?.startsWith('ERR_BROKER_') === true &&
      status.delivery.code !== 'ERR_BROKER_UNREACHABLE'
    )
  })
  const { delivery, store, warnings } = await town.status()
  t.match(delivery, { connected: false, delivered: 0, code: 'ERR_BROKER_REFUSED' })
  t.equal(store.outbox, 1)
  t.ok(warnings.some(({ code }) => code === 'ERR_BROKER_REFUSED'))
  t.match(await town.evidenceOnBox(), [{ evidenceId, state: 'outbox' }])
  t.same(town.opened(), [])
})

await t.test('evidence that the broker refuses is set aside and shown, and the next one flows', async (t) => {
  const town = await setUpTown(t, [CAMERA])
  const { broker } = town.trial
  const config = readFileSync(broker.config, 'utf8')
  await town.broker.kill()
  writeFileSync(broker.config, config.replace(/^max_packet_size .*$/m, 'max_packet_size 40000'))
  await town.broker.restart()
  town.startReceiver()
  town.startBox('vault')
  await town.status()
  const large = await deliver(town)
  const small = await deliver(town, 300)
  await waitFor('the next one is at the city', async () => (await quickStatus(town))?.store.tombstones === 1)
  t.match(town.opened(), [new RegExp(small)])

  const { delivery, warnings } = await town.status()
  t.match(delivery, { connected: true, setAside: 1 })
  const warning = warnings.find(({ code }) => code === 'ERR_MESSAGE_TOO_LARGE')
  t.match(warning, { message: /^1 evidence/, hint: /max_packet_size/ })
  const { stdout } = await startRoadveil(['status', '--config', town.trial.box.config]).ended
  t.match(stdout, /1 set aside/)
  t.match(stdout, /ERR_MESSAGE_TOO_LARGE/)

  await town.broker.kill()
  writeFileSync(broker.config, config)
  await town.broker.restart()
  await waitFor('it is delivered once it may', async () => (await quickStatus(town))?.store.outbox === 0)
  t.equal(town.opened().filter((folder) => folder.endsWith(large)).length, 1)
})
