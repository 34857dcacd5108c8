import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { askVault } from '../../src/channel/control.ts'
import { loadReceiverConfig } from '../../src/receiver/config.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import type { StoredEvidence } from '../../src/receiver/incoming.ts'
import { keyIdOf } from '../../src/sealing/keys.ts'
import { readSigningFile } from '../../src/sealing/signing-file.ts'
import { signingKeySource } from '../../src/vault/keys.ts'
import { type Commanded, type Draft, setUpCommanded } from '../support/commanded.ts'
import { keptLog } from '../support/kept-log.ts'
import { until } from '../support/until.ts'

const DAY_MS = 86_400_000

/** The city's receiver in this process. */
async function startCity({ broker }: Commanded) {
  const config = await loadReceiverConfig(broker.trial.city.config)
  const stored: StoredEvidence[] = []
  const log = keptLog()
  const stop = new AbortController()
  const receiver = createReceiver(config, {
    logger: log,
    now: Date.now,
    env: {},
    stored: (evidence) => stored.push(evidence),
  })
  const ended = receiver.run(stop.signal)
  await until('the city listens', receiver.connected)
  return {
    stored,
    log,
    state: config.stateDirectory,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

async function listed({ config }: Commanded) {
  return (await askVault(config.runtimeDirectory, { verb: 'evidence-list' })).evidence
}

const hold = (evidenceId: string, more: object = {}): Draft => ({
  kind: 'hold',
  caseNumber: '7/26',
  subject: { evidenceIds: [evidenceId] },
  ...more,
})

const erase = (evidenceId: string): Draft => ({ kind: 'erase', subject: { evidenceIds: [evidenceId] } })

await t.test('a hold by command outlives delivery and purge until it is released by command', async (t) => {
  await using box = await setUpCommanded(t)
  await using city = await startCity(box)
  const stop = await box.startVault()
  const timeSpan = ['2026-03-01T00:00:00.000Z', '2026-03-03T00:00:00.000Z']
  const criteria = { timeSpan, camera: 'bus-stop', rule: 'no-stopping-1' }
  t.match(await box.command(hold('', { subject: { criteria } })), {
    outcome: 'done',
    kind: 'hold',
    changed: { held: 0 },
  })
  const [held, free] = [
    await box.deliver(),
    await box.deliver({ judgedAt: new Date('2026-03-04T10:00:00Z') }),
  ]
  await until('the city has both', () => city.stored.length === 2)
  await until('the free one is gone', async () => (await listed(box)).length === 1)
  t.match(await listed(box), [
    { evidenceId: held, state: 'held', holds: [{ caseNumber: '7/26', by: 'ada (city)', reason: 'a test' }] },
  ])
  const unknown = randomUUID()
  t.match(await box.command(hold('', { subject: { evidenceIds: [held, free, unknown] } })), {
    changed: { held: 1, already: 0, gone: 1, unknown: 1 },
    gone: [free],
  })
  t.match(await box.command(hold(held)), { changed: { held: 0, already: 1, gone: 0, unknown: 0 } })
  t.match(await box.command(hold(unknown)), { outcome: 'refused', code: 'ERR_EVIDENCE_UNKNOWN' })
  t.match(await box.command(erase(held)), { changed: { evidence: 0, held: 1 } })
  t.match(await box.command({ kind: 'release', caseNumber: '7/26' }), { changed: { released: 2 } })
  t.match(await box.command(erase(held)), { changed: { evidence: 1, held: 0, recent: 1 } })
  t.same(await listed(box), [])
  t.match((await box.status()).commands, { done: 6, refused: 1 })
  await stop()
  const executed = box.audit().filter(({ kind }) => kind === 'command-executed')
  t.equal(executed.length, 6)
  t.match(executed[0], { details: { command: 'erase', by: 'ada', reason: 'a test', evidence: 1 } })
})

await t.test('evidence that the city has lost is sent again while the box holds it', async (t) => {
  await using box = await setUpCommanded(t)
  await using city = await startCity(box)
  await box.startVault()
  await box.command(hold('', { subject: { criteria: { camera: 'bus-stop' } } }))
  const evidenceId = await box.deliver()
  await until('it is there', () => city.stored.length === 1)
  await rm(city.stored[0]?.location ?? '', { recursive: true })
  t.match(await box.command({ kind: 'resend', subject: { evidenceIds: [evidenceId] } }), {
    outcome: 'done',
    changed: { queued: 1, gone: 0, unknown: 0 },
  })
  await until('it is there again', () => city.stored.length === 2)
  t.match(city.stored[1], { evidenceId })
  await until('the box knows', async () => (await box.status()).delivery.delivered === 2)
  t.match(await listed(box), [{ evidenceId, state: 'held' }])
})

await t.test('a signing key is rotated while the box works, and the city believes the new one', async (t) => {
  await using box = await setUpCommanded(t)
  const stop = await box.startVault()
  await using city = await startCity(box)
  await box.deliver()
  await until('the first arrives', () => city.stored.length === 1)
  const answer = await box.command({ kind: 'rotate-key' })
  t.match(answer, { outcome: 'done', changed: {}, rotated: { keyId: /^[0-9a-f]{16}$/ } })
  if (answer.outcome !== 'done') return
  const fromNewKey = { message: 'a device has a new signing key', fields: { keyId: answer.rotated?.keyId } }
  await until('the city knows', () => city.log.lines.some(({ message }) => message === fromNewKey.message))
  await box.deliver()
  await until('what the new key signed arrives', () => city.stored.length === 2)
  t.notOk(city.log.lines.some(({ message }) => message === 'evidence was refused'))
  await stop()
  const rows = box.audit()
  t.match(rows.find(({ kind }) => kind === 'signing-key-rotated')?.details, answer.rotated)
  await box.startVault()
  await box.deliver()
  await until('and after a restart', () => city.stored.length === 3)
})

await t.test('what is not a command for this box now is refused, answered and recorded', async (t) => {
  await using box = await setUpCommanded(t)
  const stop = await box.startVault()
  const evidenceId = await box.deliver()
  const now = Date.now()
  const instant = (ms: number): string => new Date(now + ms).toISOString()
  const { privateKey } = generateKeyPairSync('ed25519')
  const stranger = { id: keyIdOf(privateKey), privateKey }
  const good = box.sign(hold(evidenceId))
  const altered = Buffer.from(good.envelope.toString().replace(/"payload":"./, '"payload":"f'))
  const wrong: readonly (readonly [code: string, bytes: Buffer, id?: string])[] = [
    [
      'ERR_COMMAND_EXPIRED',
      box.sign(hold(evidenceId, { issuedAt: instant(-2 * DAY_MS), expiresAt: instant(-1) })).envelope,
    ],
    [
      'ERR_COMMAND_EARLY',
      box.sign(hold(evidenceId, { issuedAt: instant(6 * 60_000), expiresAt: instant(DAY_MS) })).envelope,
    ],
    ['ERR_COMMAND_FOREIGN', box.sign(hold(evidenceId, { deviceId: 'box-2' })).envelope],
    ['ERR_COMMAND_FOREIGN', box.sign(hold(evidenceId, { site: 'elsewhere' })).envelope],
    ['ERR_KEY_UNKNOWN', box.sign(hold(evidenceId), stranger).envelope],
    ['ERR_SIGNATURE_INVALID', box.sign(hold(evidenceId), { ...stranger, id: box.commandKey.id }).envelope],
    ['ERR_SIGNATURE_INVALID', altered],
    ['ERR_MESSAGE', Buffer.alloc(30_000, '{')],
    ['ERR_ENVELOPE_MALFORMED', randomBytes(50)],
    ['ERR_COMMAND_INVALID', good.envelope, randomUUID()],
  ]
  for (const [code, bytes, id] of wrong) {
    const commandId = id ?? idIn(bytes)
    await box.publish(commandId, bytes)
    await until(`${code} is answered`, () => box.answersTo(commandId).length > 0)
    const [answer = Buffer.from('')] = box.answersTo(commandId)
    t.match(box.read(answer), { outcome: 'refused', code }, code)
  }
  // From here on they are only counted.
  for (let i = 0; i < 30; i++) await box.publish(randomUUID(), randomBytes(20))
  await box.publish('no-uuid', randomBytes(20))
  const { commandId } = good
  await box.publish(commandId, good.envelope)
  await until('a good one is taken all the same', () =>
    box.answersTo(commandId).some((each) => box.read(each).outcome === 'done'),
  )
  t.same((await box.status()).commands, { done: 1, refused: 41 })
  t.match(await listed(box), [{ holds: [{ caseNumber: '7/26' }] }])
  await stop()
  const refused = box.audit().filter(({ kind }) => kind === 'command-refused')
  t.same(
    refused.map(({ details }) => details['code']).reverse(),
    wrong.map(([code]) => code),
  )
  t.match(
    box.audit().filter(({ kind }) => kind === 'commands-refused'),
    [{ details: { count: 31 } }],
  )
})

/** The id that a command in these bytes has, or another one where there is none. */
function idIn(bytes: Buffer): string {
  try {
    const { payload } = JSON.parse(bytes.toString()) as { payload: string }
    return (JSON.parse(Buffer.from(payload, 'base64').toString()) as { commandId: string }).commandId
  } catch {
    return randomUUID()
  }
}

await t.test(
  'a command that comes again is answered the same and done once, also after a restart',
  async (t) => {
    await using box = await setUpCommanded(t)
    let stop = await box.startVault()
    const evidenceId = await box.deliver()
    const { commandId, envelope } = box.sign(hold(evidenceId))
    for (let times = 1; times <= 4; times++) {
      await box.publish(commandId, envelope)
      await until('it is answered', () => box.answersTo(commandId).length === times)
      if (times === 2) {
        await stop()
        stop = await box.startVault()
      }
    }
    for (const answer of box.answersTo(commandId)) t.ok(answer.equals(box.answersTo(commandId)[0] ?? answer))

    const other = box.sign({ ...hold(evidenceId), commandId, caseNumber: '8/26' } as Draft)
    await box.publish(commandId, other.envelope)
    await until('it is refused', () => box.answersTo(commandId).length === 5)
    t.match(box.read(box.answersTo(commandId)[4] ?? envelope), { code: 'ERR_COMMAND_REUSED' })
    await stop()
    const kinds = box.audit().map(({ kind }) => kind)
    t.equal(kinds.filter((kind) => kind === 'hold-placed').length, 1)
    t.equal(kinds.filter((kind) => kind === 'command-executed').length, 1)
  },
)

await t.test(
  'a box that is killed while it is commanded does every command once, and answers it',
  async (t) => {
    await using box = await setUpCommanded(t)
    const file = join(box.config.runtimeDirectory, '..', 'config.json')
    await writeFile(file, JSON.stringify(box.config))
    const commands = Array.from({ length: 4 }, (_, i) =>
      box.sign(hold('', { caseNumber: `${i}/26`, subject: { criteria: { camera: 'bus-stop' } } })),
    )
    const rotation = box.sign({ kind: 'rotate-key' })
    const all = [...commands.slice(0, 2), rotation, ...commands.slice(2)]
    for (const { commandId, envelope } of all) {
      const child = startVaultProcess(file)
      const gone = once(child, 'exit')
      await until('it is connected', box.isConnected)
      // While it takes it, does it or answers it.
      await box.publish(commandId, envelope)
      await sleep(Math.random() * 12)
      child.kill('SIGKILL')
      await gone
    }
    const stop = await box.startVault()
    for (const { commandId, envelope } of all) await box.publish(commandId, envelope)
    await until('all are answered', () => all.every(({ commandId }) => box.answersTo(commandId).length > 0))
    await stop()
    const rows = box.audit()
    for (const { commandId } of all) {
      const done = rows.filter(
        ({ kind, details }) => kind === 'command-executed' && details['commandId'] === commandId,
      )
      t.equal(done.length, 1)
      t.equal(new Set(box.answersTo(commandId).map((answer) => answer.toString('latin1'))).size, 1)
    }
    t.equal(rows.filter(({ kind }) => kind === 'hold-placed').length, commands.length)
    t.equal(rows.filter(({ kind }) => kind === 'signing-key-rotated').length, 1)
    t.equal(readSigningFile(signingKeySource(box.config, {})).endorsements.length, 1)
  },
)

function startVaultProcess(configFile: string): ChildProcess {
  const script = new URL('../support/vault-process.ts', import.meta.url).pathname
  return spawn(process.execPath, [script, configFile], { stdio: 'ignore' })
}

await t.test('a box that knows no command key takes no command', async (t) => {
  await using box = await setUpCommanded(t)
  Object.assign(box.config.city, { commandKeys: [] })
  await box.startVault()
  t.match(await box.command({ kind: 'rotate-key' }), { outcome: 'refused', code: 'ERR_KEY_UNKNOWN' })
  t.same((await box.status()).commands, { done: 0, refused: 1 })
})
