import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { askVault } from '../../src/channel/control.ts'
import type { VaultStatus } from '../../src/channel/control-messages.ts'
import { connectVault } from '../../src/channel/link.ts'
import type { VaultLink } from '../../src/channel/link.ts'
import type { Config } from '../../src/config/config.ts'
import type { EvidenceFacts, RedactedEvidence } from '../../src/domain/evidence.ts'
import type { Logger } from '../../src/log.ts'
import { openStore } from '../../src/store/open.ts'
import { createTrial } from '../../src/trial/trial.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { runVault } from '../../src/vault/vault.ts'
import { VERSION } from '../../src/version.ts'
import { boxConfig } from '../support/box.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import type { SyntheticOptions } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { freePort } from '../../scripts/demo/free-port.ts'
import { shortFolder } from '../support/short-folder.ts'

const names = { site: 'main-street', device: 'box-1' }
const never = new AbortController().signal

/** A box whose broker's port is closed: everything but delivery works. */
async function setUpBox(
  t: { teardown(act: () => Promise<void>): void },
  changes: { maxSizeMiB?: number } = {},
): Promise<Config> {
  const options = { ...names, topicPrefix: 'roadveil', hosts: ['127.0.0.1'] as [string], now: new Date() }
  const trial = await createTrial(join(await shortFolder(t), 'trial'), {
    ...options,
    port: await freePort(),
  })
  return boxConfig(trial, names, changes)
}

function link(config: Config): VaultLink {
  const socketPath = join(config.runtimeDirectory, 'vault.sock')
  const hello = { version: VERSION, configSha256: config.sha256 }
  return connectVault({ socketPath, hello, logger: keptLog() }, never)
}

function evidenceOf(config: Config, options: SyntheticOptions = {}): RedactedEvidence {
  return syntheticEvidence({ ...names, configSha256: config.sha256, ...options })
}

/** A vault in this process; disposing stops it and waits for its end. */
function startVault(config: Config, logger: Logger = keptLog()): AsyncDisposable {
  const stop = new AbortController()
  const ended = runVault(config, stop.signal, { logger })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

/** Asks for the status until it is as expected, for ten seconds at most. */
async function statusOnce(config: Config, expected: (status: VaultStatus) => boolean): Promise<VaultStatus> {
  for (let tries = 0; ; tries++) {
    const status = await askVault(config.runtimeDirectory, { verb: 'status' })
    if (expected(status) || tries === 200) return status
    await sleep(50)
  }
}

await t.test('evidence is sealed, committed and listed, and never twice', async (t) => {
  const config = await setUpBox(t)
  await using vault = startVault(config)
  t.ok(vault)
  await using vision = link(config)
  const evidence = evidenceOf(config)
  const { evidenceId } = evidence.facts
  t.equal(await vision.deliver(evidence), 'stored')
  t.equal(await vision.deliver(evidence), 'stored')
  const { evidence: rows } = await askVault(config.runtimeDirectory, { verb: 'evidence-list' })
  t.match(rows, [{ evidenceId, camera: 'bus-stop', state: 'outbox', code: null, holds: [] }])
  t.equal(rows.length, 1)
})

await t.test('evidence that is not of this box or does not match its facts is refused', async (t) => {
  const config = await setUpBox(t)
  await using vault = startVault(config)
  t.ok(vault)
  await using vision = link(config)
  for (const options of [
    { site: 'other' },
    { device: 'other' },
    { camera: 'other' },
    { configSha256: 'f'.repeat(64) },
  ]) {
    t.same(
      await vision.deliver(evidenceOf(config, options)),
      { refused: 'ERR_EVIDENCE_INVALID' },
      JSON.stringify(options),
    )
  }
  const { facts, files } = evidenceOf(config)
  const [first, ...rest] = files
  if (!first) throw new Error('no files')
  const changed = [{ ...first, bytes: randomBytes(first.bytes.length) }, ...rest]
  t.same(await vision.deliver({ facts, files: changed }), { refused: 'ERR_PACKAGE_MISMATCH' })
  const absent: EvidenceFacts = { ...facts, clip: { ...facts.clip, file: 'other.mp4' } }
  t.same(await vision.deliver({ facts: absent, files }), { refused: 'ERR_EVIDENCE_INVALID' })
  t.same((await askVault(config.runtimeDirectory, { verb: 'evidence-list' })).evidence, [])
})

await t.test(
  'status tells of both processes, cameras, store, delivery and what needs attention',
  async (t) => {
    const config = await setUpBox(t)
    await using vault = startVault(config)
    t.ok(vault)
    await using vision = link(config)
    t.equal(await vision.deliver(evidenceOf(config)), 'stored')
    const stats = {
      selftest: 'failed' as const,
      cameras: [
        {
          camera: 'bus-stop',
          state: 'down' as const,
          fps: 0,
          frames: 7,
          dropped: 0,
          restarts: 2,
          lastFrameAt: null,
          code: 'ERR_CAMERA_STALLED',
        },
      ],
      counts: {
        ...{ tracks: 1, violations: 1, built: 1, discarded: 0, waiting: 0 },
        ...{ uncheckedRedactions: 0, unverifiedRedactions: 0 },
      },
    }
    vision.report(stats)
    for (const code of ['ERR_REDACTION_UNCHECKED', 'ERR_REDACTION_UNCHECKED', 'ERR_REDACTION_UNVERIFIED'])
      vision.discard({
        ...{ evidenceId: randomUUID(), camera: 'bus-stop', ruleId: 'no-stopping-1', code },
        judgedAt: new Date().toISOString(),
      })
    await sleep(100)
    const status = await askVault(config.runtimeDirectory, { verb: 'status' })
    t.match(status, {
      ...names,
      processes: { vault: { version: VERSION, pid: process.pid }, vision: { version: VERSION } },
      cameras: stats.cameras,
      counts: stats.counts,
      store: { outbox: 1, held: 0, tombstones: 0 },
      delivery: {
        connected: false,
        delivered: 0,
        setAside: 0,
        refusedReceipts: 0,
        lastReceiptAt: null,
        code: 'ERR_BROKER_UNREACHABLE',
      },
    })
    t.ok(status.retention.lastRunAt && status.retention.nextRunAt, 'the first purge ran, the next is planned')
    const codes = status.warnings.map(({ code }) => code)
    for (const code of [
      'ERR_SELFTEST_FAILED',
      'ERR_CAMERA_STALLED',
      'ERR_REDACTION_UNCHECKED',
      'ERR_REDACTION_UNVERIFIED',
      'ERR_BROKER_UNREACHABLE',
    ]) {
      t.ok(codes.includes(code), code)
    }
    await vision[Symbol.asyncDispose]()
    await sleep(50)
    const alone = await askVault(config.runtimeDirectory, { verb: 'status' })
    t.match(alone, { processes: { vision: null }, cameras: [], counts: null })
    t.ok(alone.warnings.some(({ code }) => code === 'ERR_VISION_GONE'))
    const failed = alone.warnings.filter(({ code }) => code.startsWith('ERR_REDACTION_'))
    t.match(
      failed,
      [
        { code: 'ERR_REDACTION_UNVERIFIED', message: /^1 violation/ },
        { code: 'ERR_REDACTION_UNCHECKED', message: /^2 violations/ },
      ],
      'what left no evidence is known without the vision that saw it',
    )
  },
)

await t.test('a legal hold is placed and released over the control socket', async (t) => {
  const config = await setUpBox(t)
  await using vault = startVault(config)
  t.ok(vault)
  await using vision = link(config)
  const evidence = evidenceOf(config)
  const { evidenceId } = evidence.facts
  await vision.deliver(evidence)
  const { runtimeDirectory: box } = config
  const hold = {
    verb: 'evidence-hold',
    evidenceId,
    reason: 'court order',
    by: 'ada',
    caseNumber: '7/26',
  } as const
  t.same(await askVault(box, hold), { evidenceId })
  await t.rejects(askVault(box, hold), { code: 'ERR_HOLD_EXISTS' })
  const { evidence: rows } = await askVault(box, { verb: 'evidence-list' })
  t.match(rows[0]?.holds, [{ reason: 'court order', by: 'ada', caseNumber: '7/26' }])
  const release = { verb: 'evidence-release', evidenceId, reason: 'closed', by: 'ada' } as const
  t.same(await askVault(box, release), { evidenceId })
  await t.rejects(askVault(box, release), { code: 'ERR_HOLD_UNKNOWN' })
  const unknown = { ...hold, evidenceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301' }
  await t.rejects(askVault(box, unknown), { code: 'ERR_EVIDENCE_UNKNOWN' })
})

await t.test('a broker that dies does not keep vault from taking evidence in', async (t) => {
  await using broker = await startMosquitto(join(await shortFolder(t), 'trial'), names)
  const config = boxConfig(broker.trial, names)
  await using vault = startVault(config)
  t.ok(vault)
  await using vision = link(config)
  t.equal(await vision.deliver(evidenceOf(config)), 'stored')
  const up = await statusOnce(config, ({ delivery }) => delivery.connected)
  t.equal(up.delivery.connected, true)
  await broker.kill()
  const down = await statusOnce(config, ({ delivery }) => !delivery.connected)
  t.match(down, { delivery: { connected: false }, store: { outbox: 1 } })
  t.equal(await vision.deliver(evidenceOf(config)), 'stored')
  t.match(await statusOnce(config, () => true), { store: { outbox: 2, tombstones: 0 } })
})

await t.test('while the store is full vision keeps its evidence, and what is stored stays', async (t) => {
  const config = await setUpBox(t, { maxSizeMiB: 4 })
  const logger = keptLog()
  await using vault = startVault(config, logger)
  t.ok(vault)
  await using vision = link(config)
  let stored = 0
  const all = Array.from({ length: 6 }, async () =>
    vision.deliver(evidenceOf(config, { clipBytes: 900_000 })).then(() => stored++),
  )
  for (const delivery of all) delivery.catch(() => undefined)
  const isFull = ({ message }: { message: string }): boolean => message === 'nothing can be stored now'
  for (let tries = 0; tries < 400 && !logger.lines.some(isFull); tries++) await sleep(20)
  t.match(logger.lines.find(isFull), { fields: { error: { code: 'ERR_STORE_FULL' } } })
  t.ok(stored >= 1 && stored < 6, `${stored} of 6 are stored`)
  t.equal(vision.waiting, 6 - stored)
  const { evidence } = await askVault(config.runtimeDirectory, { verb: 'evidence-list' })
  t.equal(evidence.length, stored)
})

await t.test('wrong keys, a wrong store or a second vault end with a coded error', async (t) => {
  const config = await setUpBox(t)
  const run = async (changed: Config): Promise<void> => runVault(changed, never, { logger: keptLog() })
  {
    await using vault = startVault(config)
    t.ok(vault)
    await using vision = link(config)
    await vision.deliver(evidenceOf(config))
    await t.rejects(run(config), { code: 'ERR_STORE_LOCKED' })
  }
  const wrongKey = join(config.runtimeDirectory, 'wrong.key')
  await writeFile(wrongKey, randomBytes(32), { mode: 0o600 })
  await t.rejects(run({ ...config, store: { ...config.store, keyFile: wrongKey } }), {
    code: 'ERR_STORE_KEY',
  })
  const openKey = join(config.runtimeDirectory, 'open.key')
  await writeFile(openKey, randomBytes(32), { mode: 0o644 })
  await t.rejects(run({ ...config, store: { ...config.store, keyFile: openKey } }), {
    code: 'ERR_SECRET_FILE',
  })
  const { device } = config
  await t.rejects(run({ ...config, device: { ...device, signingKeyFile: config.broker.keyFile } }), {
    code: 'ERR_KEY_INVALID',
  })
  const [key] = config.city.receiptKeys
  if (!key) throw new Error('no receipt key')
  const city = { ...config.city, receiptKeys: [{ ...key, id: 'other' }] }
  await t.rejects(run({ ...config, city }), { code: 'ERR_KEY_INVALID' })
})

await t.test('a process that cannot start exits with a code', async (t) => {
  const config = await setUpBox(t)
  const file = join(config.runtimeDirectory, '..', 'config.json')
  await writeFile(file, JSON.stringify({ ...config, store: { ...config.store, keyFile: '/nowhere' } }))
  const child = startProcess(file)
  const ended = once(child, 'exit')
  t.equal(child.stdout && (await text(child.stdout)), 'ERR_SECRET_FILE')
  t.same(await ended, [1, null])
})

await t.test(
  'a vault killed again and again loses nothing that it confirmed and doubles nothing',
  async (t) => {
    const config = await setUpBox(t)
    const file = join(config.runtimeDirectory, '..', 'config.json')
    await writeFile(file, JSON.stringify(config))
    const evidence = Array.from({ length: 40 }, () => evidenceOf(config, { plateText: 'ROADVEIL99' }))
    const confirmed = new Set<string>()
    let child = startProcess(file)
    {
      await using vision = link(config)
      const deliveries = Promise.all(
        evidence.map(async (it) => {
          t.equal(await vision.deliver(it), 'stored')
          confirmed.add(it.facts.evidenceId)
        }),
      )
      // Kill it in the middle of its work: after the first confirmation, and then at moments of chance.
      for (let kills = 0; kills < 4; kills++) {
        const before = confirmed.size
        while (confirmed.size === before && confirmed.size < evidence.length) await sleep(5)
        await sleep(Math.random() * 60)
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
        child = startProcess(file)
      }
      await deliveries
    }
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    t.same(await ended, [0, null], 'stops cleanly when told to')

    const { database: key } = loadStoreKeys(config, {})
    const { file: storeFile, maxSizeMiB } = config.store
    {
      using store = openStore({ file: storeFile, key, maxSizeMiB, deviceId: names.device })
      const stored = store.inventory.list().map(({ evidenceId }) => evidenceId)
      t.same(stored.toSorted(), evidence.map(({ facts }) => facts.evidenceId).toSorted())
      store.audit.verify()
      const commits = store.audit.list(1000).filter(({ kind }) => kind === 'evidence-committed')
      t.equal(commits.length, evidence.length)
    }
    const folder = join(storeFile, '..')
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const bytes = await readFile(join(entry.parentPath, entry.name))
      t.notOk(bytes.includes('ROADVEIL99'), `no plate text in ${entry.name}`)
    }
  },
)

function startProcess(configFile: string): ChildProcess {
  const script = new URL('../support/vault-process.ts', import.meta.url).pathname
  return spawn(process.execPath, [script, configFile], { stdio: ['ignore', 'pipe', 'ignore'] })
}
