import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { listenForControl } from '../../src/channel/control.ts'
import { encodeFrame, readFrames } from '../../src/channel/framing.ts'
import { connectInMemory, connectVault } from '../../src/channel/link.ts'
import { createListener, listenForVision } from '../../src/channel/listener.ts'
import type { Outcome, VisionHandlers } from '../../src/channel/listener.ts'
import type { SelftestReport, VisionStats } from '../../src/channel/messages.ts'
import type { DiscardedEvidence, RedactedEvidence } from '../../src/domain/evidence.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'

const hello = { version: '0.1.0', configSha256: 'a'.repeat(64) }
const never = new AbortController().signal
const stats: VisionStats = {
  selftest: 'passed',
  cameras: [{ camera: 'c1', state: 'live', fps: 5, frames: 10, dropped: 1, restarts: 0, lastFrameAt: null }],
  counts: {
    tracks: 3,
    violations: 1,
    built: 1,
    discarded: 0,
    uncheckedRedactions: 0,
    unverifiedRedactions: 0,
    waiting: 0,
  },
}

interface Taken {
  readonly evidence: RedactedEvidence[]
  readonly discarded: DiscardedEvidence[]
  readonly stats: VisionStats[]
  readonly versions: (string | undefined)[]
  readonly selftests: SelftestReport[]
}

/** Handlers that keep what they get; `outcome` may wait or refuse. */
function keeper(outcome: (evidence: RedactedEvidence) => Promise<Outcome> | Outcome = () => 'stored'): {
  taken: Taken
  handlers: VisionHandlers
} {
  const taken: Taken = { evidence: [], discarded: [], stats: [], versions: [], selftests: [] }
  const handlers: VisionHandlers = {
    evidence: async (evidence) => {
      taken.evidence.push(structuredClone(evidence))
      return outcome(evidence)
    },
    discarded: async (discarded) => {
      taken.discarded.push(discarded)
      return 'stored'
    },
    stats: (it) => void taken.stats.push(it),
    selftest: (report) => void taken.selftests.push(report),
    selftestPassedBy: 'b'.repeat(64),
    connected: (version) => void taken.versions.push(version),
  }
  return { taken, handlers }
}

async function until(what: () => boolean, ms = 5_000): Promise<void> {
  const end = performance.now() + ms
  while (!what()) {
    if (performance.now() > end) throw new Error('it did not happen in time')
    await sleep(5)
  }
}

await t.test(
  'evidence, discarded violations and reports arrive, over the socket and in memory',
  async (t) => {
    for (const way of ['socket', 'memory']) {
      const socketPath = join(await shortFolder(t), 'run', 'vault.sock')
      const { taken, handlers } = keeper()
      const options = { socketPath, hello, handlers, logger: keptLog() }
      await using listener =
        way === 'socket' ? await listenForVision(options, never) : createListener(options, never)
      await using link =
        way === 'socket'
          ? connectVault({ socketPath, hello, logger: keptLog() }, never)
          : connectInMemory((stream) => listener.accept(stream), { hello, logger: keptLog() }, never)
      const evidence = syntheticEvidence()
      t.equal(await link.deliver(evidence), 'stored')
      const [came] = taken.evidence
      t.same(came?.facts, evidence.facts)
      t.same(
        came?.files.map(({ name, bytes }) => [name, Buffer.from(bytes)]),
        evidence.files.map(({ name, bytes }) => [name, bytes]),
      )
      const discarded = {
        evidenceId: evidence.facts.evidenceId,
        camera: 'c1',
        ruleId: 'r1',
        judgedAt: '2026-03-02T10:15:30.250Z',
        code: 'ERR_REDACTION_UNCHECKED',
      }
      link.discard(discarded)
      await until(() => taken.discarded.length === 1)
      t.same(taken.discarded, [discarded])
      link.report(stats)
      await until(() => taken.stats.length === 1)
      t.same(taken.stats, [stats])
      t.same(taken.versions, ['0.1.0'])
      t.equal(await link.selftestPassedBy, 'b'.repeat(64), 'vault says what passed the self-test last')
      link.reportSelftest({ subjectSha256: 'c'.repeat(64), passed: false })
      await until(() => taken.selftests.length === 1)
      t.same(taken.selftests, [{ subjectSha256: 'c'.repeat(64), passed: false }])
    }
  },
)

await t.test('only the user that runs vault can reach its socket', async (t) => {
  const folder = join(await shortFolder(t), 'run')
  const socketPath = join(folder, 'vault.sock')
  const options = { socketPath, hello, handlers: keeper().handlers, logger: keptLog() }
  {
    await using listener = await listenForVision(options, never)
    t.ok(listener)
    t.equal((await stat(folder)).mode & 0o777, 0o700)
    t.equal((await stat(socketPath)).mode & 0o777, 0o600)
    await t.rejects(listenForVision(options, never), { code: 'ERR_CHANNEL_BUSY' })
  }
  for (const mode of [0o755, 0o750, 0o730, 0o711]) {
    await chmod(folder, mode)
    await t.rejects(listenForVision(options, never), { code: 'ERR_RUNTIME_DIRECTORY' })
  }
  await chmod(folder, 0o700)
  await writeFile(socketPath, 'not a socket')
  await t.rejects(listenForVision(options, never), { code: 'ERR_RUNTIME_DIRECTORY' })
  const long = { ...options, socketPath: join(folder, 'x'.repeat(100)) }
  await t.rejects(listenForVision(long, never), { code: 'ERR_RUNTIME_DIRECTORY' })
})

await t.test(
  'a vision with a user of its own reaches vault through their group, and nothing else',
  async (t) => {
    const runtimeDirectory = join(await shortFolder(t), 'run')
    await mkdir(runtimeDirectory)
    await chmod(runtimeDirectory, 0o710)
    const socketPath = join(runtimeDirectory, 'vault.sock')
    const logger = keptLog()
    await using sockets = new AsyncDisposableStack()
    sockets.use(await listenForVision({ socketPath, hello, handlers: keeper().handlers, logger }, never))
    sockets.use(await listenForControl({ runtimeDirectory, handler: async () => ({ holds: [] }), logger }))
    t.equal((await stat(socketPath)).mode & 0o777, 0o660)
    t.equal((await stat(join(runtimeDirectory, 'control.sock'))).mode & 0o777, 0o600)
  },
)

await t.test('a slow vault makes deliveries wait, and only one evidence is on its way', async (t) => {
  const socketPath = join(await shortFolder(t), 'run', 'vault.sock')
  const gates: (() => void)[] = []
  const { taken, handlers } = keeper(
    async () => new Promise<Outcome>((resolve) => gates.push(() => resolve('stored'))),
  )
  await using listener = await listenForVision({ socketPath, hello, handlers, logger: keptLog() }, never)
  t.ok(listener)
  await using link = connectVault({ socketPath, hello, logger: keptLog() }, never)
  const evidence = Array.from({ length: 5 }, () => syntheticEvidence({ clipBytes: 2_000_000 }))
  let stored = 0
  const deliveries = evidence.map(async (it) => link.deliver(it).then(() => stored++))
  await until(() => taken.evidence.length === 1)
  await sleep(100)
  t.equal(taken.evidence.length, 1, 'the second is not taken before the first is committed')
  t.equal(stored, 0)
  t.equal(link.waiting, 5)
  for (let done = 1; done <= 5; done++) {
    gates.shift()?.()
    await until(() => stored === done)
    if (done < 5) await until(() => taken.evidence.length === done + 1)
  }
  await Promise.all(deliveries)
  t.same(
    taken.evidence.map(({ facts }) => facts.evidenceId),
    evidence.map(({ facts }) => facts.evidenceId),
  )
})

await t.test('while nobody reads, reports are dropped instead of piling up', async (t) => {
  const socketPath = join(await shortFolder(t), 'vault.sock')
  const server = createServer((socket) => {
    void readFrames(socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>)
      .next()
      .then(() => {
        socket.pause()
        for (const bytes of encodeFrame({
          message: { type: 'hello', protocol: 1, version: 'v', selftestPassedBy: null },
          parts: [],
        })) {
          socket.write(bytes)
        }
      })
  }).listen(socketPath)
  await once(server, 'listening')
  const logger = keptLog()
  await using link = connectVault({ socketPath, hello, logger }, never)
  await until(() => logger.lines.some(({ message }) => message === 'connected to vault'))
  const before = process.memoryUsage().rss
  for (let i = 0; i < 20_000; i++) {
    link.report(stats)
    if (i % 100 === 0) await sleep(0)
  }
  t.ok(process.memoryUsage().rss - before < 50_000_000)
  server.close()
})

await t.test('what vault had not confirmed when it died is sent again to the next one', async (t) => {
  const socketPath = join(await shortFolder(t), 'run', 'vault.sock')
  const first = keeper(async () => new Promise<Outcome>(() => undefined))
  // A vault that dies between receiving and answering: its connections break, its socket file stays.
  const sockets: { destroy(): void }[] = []
  const dying = createListener({ hello, handlers: first.handlers, logger: keptLog() }, never)
  const options = { socketPath, hello, handlers: keeper().handlers, logger: keptLog() }
  const probe = await listenForVision(options, never)
  await probe[Symbol.asyncDispose]()
  const server = createServer((socket) => {
    sockets.push(socket)
    dying.accept(socket)
  }).listen(socketPath)
  const logger = keptLog()
  await using link = connectVault({ socketPath, hello, logger }, never)
  const evidence = [syntheticEvidence(), syntheticEvidence()]
  const answers = Promise.all(evidence.map(async (it) => link.deliver(it)))
  await until(() => first.taken.evidence.length === 1)
  server.close()
  for (const socket of sockets) socket.destroy()
  await until(() => logger.lines.some(({ level }) => level === 'warn'))

  const second = keeper()
  await using listener = await listenForVision({ ...options, handlers: second.handlers }, never)
  t.ok(listener)
  t.same(await answers, ['stored', 'stored'])
  t.same(
    second.taken.evidence.map(({ facts }) => facts.evidenceId),
    evidence.map(({ facts }) => facts.evidenceId),
  )
})

await t.test('evidence that vault cannot take now is kept and sent again', async (t) => {
  let full = true
  const { taken, handlers } = keeper(() => {
    const outcome = full ? ({ refused: 'ERR_INTERNAL', again: true } as const) : 'stored'
    full = false
    return outcome
  })
  const listener = createListener({ hello, handlers, logger: keptLog() }, never)
  await using link = connectInMemory((it) => listener.accept(it), { hello, logger: keptLog() }, never)
  t.equal(await link.deliver(syntheticEvidence()), 'stored')
  t.equal(taken.evidence.length, 2)
})

await t.test(
  'evidence whose facts or files are wrong is refused for good, and the next is taken',
  async (t) => {
    const { taken, handlers } = keeper()
    const listener = createListener({ hello, handlers, logger: keptLog() }, never)
    await using link = connectInMemory((it) => listener.accept(it), { hello, logger: keptLog() }, never)
    const good = syntheticEvidence()
    const wrong: RedactedEvidence[] = [
      { ...good, facts: { ...good.facts, site: '../../etc' } },
      { ...good, facts: { ...good.facts, more: 'field' } as RedactedEvidence['facts'] },
      {
        ...good,
        facts: { ...good.facts, files: good.facts.files.map((file) => ({ ...file, bytes: file.bytes + 1 })) },
      },
    ]
    for (const evidence of wrong) t.same(await link.deliver(evidence), { refused: 'ERR_EVIDENCE_INVALID' })
    await t.rejects(link.deliver({ ...good, files: good.files.slice(1) }), { code: 'ERR_EVIDENCE_INVALID' })
    t.equal(await link.deliver(good), 'stored')
    t.equal(taken.evidence.length, 1)
  },
)

await t.test('a handler that throws refuses the evidence and the channel goes on', async (t) => {
  const { handlers } = keeper(() => {
    throw new TypeError('plate RV123AB')
  })
  const logger = keptLog()
  const listener = createListener({ hello, handlers, logger }, never)
  await using link = connectInMemory((it) => listener.accept(it), { hello, logger: keptLog() }, never)
  t.same(await link.deliver(syntheticEvidence()), { refused: 'ERR_INTERNAL' })
  t.same(await link.deliver(syntheticEvidence()), { refused: 'ERR_INTERNAL' })
  t.equal(logger.lines.filter(({ level }) => level === 'error').length, 2)
})

await t.test('strangers are turned away with a code and do not disturb vision', async (t) => {
  const socketPath = join(await shortFolder(t), 'run', 'vault.sock')
  const { taken, handlers } = keeper()
  await using listener = await listenForVision({ socketPath, hello, handlers, logger: keptLog() }, never)
  t.ok(listener)

  /** Sends bytes on a connection of its own and returns the last message that came. */
  const send = async (...messages: unknown[]): Promise<unknown> => {
    const socket = connect(socketPath)
    socket.on('error', () => undefined)
    for (const message of messages) {
      for (const bytes of encodeFrame({ message, parts: [] })) socket.write(bytes)
    }
    let last: unknown
    for await (const { message } of readFrames(socket)) last = message
    return last
  }
  const valid = { type: 'hello', protocol: 1, ...hello }
  const bye = (code: string): unknown => ({ type: 'bye', code })
  t.same(await send({ type: 'hello', protocol: 2, tomorrow: true }), bye('ERR_CHANNEL_VERSION'))
  t.same(await send({ ...valid, configSha256: 'b'.repeat(64) }), bye('ERR_CHANNEL_CONFIG'))
  t.same(await send({ type: 'stats', stats }), bye('ERR_CHANNEL_MESSAGE'))
  t.same(await send({ ...valid, more: 1 }), bye('ERR_CHANNEL_MESSAGE'))
  t.same(await send(valid, { type: 'open' }), bye('ERR_CHANNEL_MESSAGE'))
  t.same(await send(valid, { type: 'evidence', evidenceId: 'x', facts: {} }), bye('ERR_CHANNEL_MESSAGE'))

  for (let i = 0; i < 50; i++) {
    const socket = connect(socketPath)
    socket.on('error', () => undefined)
    socket.end(
      Buffer.concat([...(i % 2 ? encodeFrame({ message: valid, parts: [] }) : []), randomBytes(1 + i * 100)]),
    )
    await new Promise((resolve) => socket.resume().once('close', resolve))
  }

  const logger = keptLog()
  await using link = connectVault({ socketPath, hello, logger }, never)
  await until(() => logger.lines.some(({ message }) => message === 'connected to vault'))
  t.same(await send(valid), bye('ERR_CHANNEL_BUSY'))
  t.equal(await link.deliver(syntheticEvidence()), 'stored')
  t.equal(taken.evidence.length, 1)
})

await t.test('a vision of another version or config tries for a while and then gives up', async (t) => {
  const tries = ['ERR_CHANNEL_VERSION', 'ERR_CHANNEL_CONFIG'].map(async (code) => {
    const logger = keptLog()
    const bye = encodeFrame({ message: { type: 'bye', code }, parts: [] })
    const link = connectInMemory((stream) => void stream.write(Buffer.concat(bye)), { hello, logger }, never)
    await t.rejects(link.done, { code })
    t.equal(logger.lines.filter(({ level }) => level === 'warn').length, 1, 'said once')
    await t.rejects(link.deliver(syntheticEvidence()), { code: 'ERR_CHANNEL_CLOSED' })
  })
  await Promise.all(tries)
})

await t.test('closing rejects what waits; stopping vault finishes what it has in work', async (t) => {
  const socketPath = join(await shortFolder(t), 'run', 'vault.sock')
  const gate = Promise.withResolvers<Outcome>()
  const { taken, handlers } = keeper(() => gate.promise)
  const stop = new AbortController()
  const listener = await listenForVision({ socketPath, hello, handlers, logger: keptLog() }, stop.signal)
  const link = connectVault({ socketPath, hello, logger: keptLog() }, never)
  const first = link.deliver(syntheticEvidence())
  const second = link.deliver(syntheticEvidence())
  second.catch(() => undefined)
  await until(() => taken.evidence.length === 1)
  stop.abort()
  const disposed = listener[Symbol.asyncDispose]()
  await sleep(20)
  gate.resolve('stored')
  t.equal(await first, 'stored')
  await disposed
  await link[Symbol.asyncDispose]()
  await t.rejects(second, { code: 'ERR_CHANNEL_CLOSED' })
  t.equal(taken.evidence.length, 1)
})
