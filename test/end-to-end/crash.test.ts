import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { sceneCamera } from '../../scripts/demo/trial.ts'
import { connectVault } from '../../src/channel/link.ts'
import { openStore } from '../../src/store/open.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { VERSION } from '../../src/version.ts'
import type { RoadveilProcess } from '../cli/roadveil.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import { SCENE_FILE } from '../support/scene.ts'
import {
  killed,
  logged,
  NAMES,
  namesIn,
  quickStatus,
  setUpTown,
  type Town,
  waitFor,
} from '../support/town.ts'
import { isRunning, processTree } from '../support/traces.ts'

/** Chunks of the evidence that is just coming in at the city. */
function chunksUnderWay({ trial }: Town): number {
  const incoming = join(trial.city.state, 'incoming', NAMES.device)
  return namesIn(incoming)
    .flatMap((id) => namesIn(join(incoming, id)))
    .filter((name) => name.startsWith('chunk-')).length
}

/** What the box's own record says, read when its processes are gone. */
function recorded({ config }: Town) {
  const { database: key } = loadStoreKeys(config, {})
  const { file, maxSizeMiB } = config.store
  using store = openStore({ file, key, maxSizeMiB, deviceId: config.device.id })
  const { rows } = store.audit.verify()
  const idsOf = (kind: string): string[] =>
    store.audit
      .list(rows)
      .filter((row) => row.kind === kind)
      .map(({ details }) => String(details['evidenceId']))
  return {
    committed: idsOf('evidence-committed').sort(),
    delivered: idsOf('evidence-delivered').sort(),
    counts: store.inventory.counts(),
  }
}

/** Everything committed is at the city once, and nothing else is; nothing is left on the box but the record. */
async function proveComplete(
  t: Test,
  town: Town,
  box: RoadveilProcess,
  receivers: readonly RoadveilProcess[],
  answered: readonly string[],
): Promise<void> {
  await killed(box)
  const { committed, delivered, counts } = recorded(town)
  const opened = town
    .opened()
    .map((folder) => basename(folder))
    .sort()
  t.same(opened, committed, 'the city has what was committed')
  t.same(delivered, committed, 'the record says that each was delivered, once')
  t.match(counts, { pending: 0, holds: 0, tombstones: committed.length })
  for (const id of answered) t.ok(committed.includes(id), `${id} was answered for`)
  const stored = receivers.flatMap((receiver) => logged(receiver, 'evidence was stored'))
  const ids = stored.map(({ evidenceId }) => evidenceId)
  t.equal(new Set(ids).size, ids.length, 'nothing was stored twice')
  for (const folder of town.opened()) {
    const facts = JSON.parse(readFileSync(join(folder, 'evidence.json'), 'utf8')) as { evidenceId: string }
    t.equal(facts.evidenceId, basename(folder))
  }
  t.same(namesIn(join(town.trial.city.state, 'quarantine')), [])
}

await t.test(
  'vault, broker and receiver are killed again and again in the middle of a delivery',
  async (t) => {
    const town = await setUpTown(t, [sceneCamera('cam-1', { url: 'rtsp://127.0.0.1:1/stream' })])
    const { config, broker } = town
    let box = town.startBox('vault')
    const receiver = town.startReceiver()
    await town.status()

    const answered: string[] = []
    const socketPath = join(config.runtimeDirectory, 'vault.sock')
    const hello = { version: VERSION, configSha256: config.sha256 }
    await using link = connectVault({ socketPath, hello, logger: keptLog() }, new AbortController().signal)
    const handOver = async (): Promise<void> => {
      const options = { ...NAMES, camera: 'cam-1', configSha256: config.sha256, clipBytes: 12_000_000 }
      const evidence = syntheticEvidence(options)
      if ((await link.deliver(evidence)) === 'stored') answered.push(evidence.facts.evidenceId)
    }
    const midDelivery = async (): Promise<void> =>
      waitFor('a delivery is under way', () => chunksUnderWay(town) >= 3, { everyMs: 5 })

    const deliveries = [handOver(), handOver()]
    await midDelivery()
    await killed(box)
    const cutAt = chunksUnderWay(town)
    box = town.startBox('vault')
    await town.status()
    t.ok(cutAt > 0, `${cutAt} chunks were at the city when vault died`)

    deliveries.push(handOver())
    await midDelivery()
    await broker.kill()
    deliveries.push(handOver())
    await sleep(300)
    await broker.restart()

    await midDelivery()
    await killed(receiver)
    const receivers = [receiver, town.startReceiver()]

    // vault dies while evidence is being handed over: vision has no answer and sends it again.
    deliveries.push(handOver(), handOver())
    await sleep(150)
    await killed(box)
    box = town.startBox('vault')

    await Promise.all(deliveries)
    t.equal(answered.length, 6)
    await waitFor('everything is delivered', async () => (await quickStatus(town))?.store.outbox === 0)
    await proveComplete(t, town, box, receivers, answered)
  },
)

await t.test('a whole box goes on after each of its processes is killed', async (t) => {
  const source = { url: `file:${SCENE_FILE}`, replay: 'fast' }
  const town = await setUpTown(t, [sceneCamera('cam-1', source)])
  const box = town.startBox('run')
  const receiver = town.startReceiver()
  const pidOf = (role: string): number =>
    logged(box, 'process started').findLast((line) => line.role === role)?.pid ?? 0

  // vision dies while it is building: that violation is lost with its pixels, the restarted one sees the next.
  await waitFor('a violation is being built', () => {
    const below = processTree(pidOf('vision'))
    return logged(box, 'violation').length === 1 && below.some(({ line }) => line.startsWith('ffmpeg '))
  })
  const orphans = processTree(pidOf('vision')).filter(({ line }) => line.startsWith('ffmpeg '))
  t.ok(orphans.length > 0, `${orphans.length} ffmpeg processes ran`)
  process.kill(pidOf('vision'), 'SIGKILL')
  await waitFor('its ffmpeg processes are gone', () => !orphans.some(isRunning), { withinMs: 5_000 })

  await waitFor('vault has committed', () => logged(box, 'evidence is sealed and stored').length > 0, {
    everyMs: 5,
  })
  process.kill(pidOf('vault'), 'SIGKILL')
  await town.broker.kill()
  await killed(receiver)
  await town.broker.restart()
  const receivers = [receiver, town.startReceiver()]
  await waitFor('both were started again', () => logged(box, 'process started').length >= 4)

  await waitFor('the city has it', async () => {
    const status = await quickStatus(town)
    return status !== undefined && status.store.outbox === 0 && status.store.tombstones >= 1
  })
  const answered = logged(box, 'evidence is sealed and stored').map(({ evidenceId }) => evidenceId ?? '')
  const before = processTree(box.pid ?? 0)
  await proveComplete(t, town, box, receivers, answered)
  await waitFor('nothing of the box is left running', () => !before.some(isRunning), { withinMs: 5_000 })
})
