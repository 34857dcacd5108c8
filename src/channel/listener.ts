import type { Duplex } from 'node:stream'
import type { DiscardedEvidence, RedactedEvidence } from '../domain/evidence.ts'
import { free } from '../domain/release.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import { openConnection } from './connection.ts'
import type { Connection } from './connection.ts'
import { encodeFrame } from './framing.ts'
import {
  anyHelloSchema,
  CHANNEL_PROTOCOL,
  parseEvidence,
  parseMessage,
  visionHelloSchema,
  visionMessageSchema,
} from './messages.ts'
import type { SelftestReport, VaultMessage, VisionHello, VisionMessage, VisionStats } from './messages.ts'
import { listenOnSocket } from './socket.ts'

/** What became of a message: committed, or refused for good or until later (`again`: vision keeps it and sends it again). */
export type Outcome = 'stored' | { readonly refused: ErrorCode; readonly again: boolean }

/** What vault does with the messages. They come one at a time: the next is read when the last is dealt with. */
export interface VisionHandlers {
  /**
   * Commits an evidence. After `stored` vision forgets it. A throw refuses it for good. The bytes of its files are gone once this is
   * settled.
   */
  evidence(evidence: RedactedEvidence): Promise<Outcome>
  /** Records that a violation left no evidence. */
  discarded(discarded: DiscardedEvidence): Promise<Outcome>
  stats(stats: VisionStats): void
  selftest(report: SelftestReport): void
  /** What last passed the self-test on this box. */
  readonly selftestPassedBy: string | null
  /** vision has connected (with its version), or is gone. */
  connected(version: string | undefined): void
}

export interface ListenerOptions {
  readonly socketPath: string
  /** This process's version and the SHA-256 of the config that it was started with. */
  readonly hello: { readonly version: string; readonly configSha256: string }
  readonly handlers: VisionHandlers
  readonly logger: Logger
}

/** vault's end of the channel. Disposing waits for the message in work and closes. */
export interface VisionListener extends AsyncDisposable {
  /** Takes a connection that came by another way than the socket: for tests in memory. */
  accept(stream: Duplex): void
}

const HELLO_MS = 5_000
/** vision reports every second; one that has been silent for this long may be replaced. */
const SILENT_MS = 15_000

/**
 * Listens for vision on a Unix socket, until the signal aborts or the listener is disposed. One vision is served at a
 * time; another is turned away (ERR_CHANNEL_BUSY) unless the first has fallen silent.
 *
 * @throws ERR_CHANNEL_BUSY, ERR_RUNTIME_DIRECTORY
 */
export async function listenForVision(
  options: ListenerOptions,
  signal: AbortSignal,
): Promise<VisionListener> {
  const listener = createListener(options, signal)
  const server = await listenOnSocket(options.socketPath, (socket) => listener.accept(socket), 'group')
  return {
    accept: (stream) => listener.accept(stream),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      await listener[Symbol.asyncDispose]()
      await closed
    },
  }
}

/** vault's end of the channel without a socket. */
export function createListener(
  { hello, handlers, logger }: Omit<ListenerOptions, 'socketPath'>,
  signal: AbortSignal,
): VisionListener {
  const closing = new AbortController()
  const until = AbortSignal.any([signal, closing.signal])
  const open = new Set<Promise<void>>()
  let current: { readonly connection: Connection; heardAt: number; working: boolean } | undefined
  /** Only one message is in work at any time, whichever connection it came by. */
  let work: Promise<unknown> = Promise.resolve()

  const serve = async (connection: Connection): Promise<void> => {
    const theirs = await greet(connection, hello)
    if (current) {
      const silent = !current.working && performance.now() - current.heardAt > SILENT_MS
      if (!silent) throw new RoadveilError('ERR_CHANNEL_BUSY', 'another vision is connected')
      current.connection.destroy()
    }
    const mine = { connection, heardAt: performance.now(), working: false }
    current = mine
    const { selftestPassedBy } = handlers
    connection.send(
      encode({ type: 'hello', protocol: CHANNEL_PROTOCOL, version: hello.version, selftestPassedBy }),
    )
    logger.info('vision is connected', { version: theirs.version })
    handlers.connected(theirs.version)
    try {
      for (;;) {
        const frame = await connection.receive()
        if (!frame || until.aborted) return
        mine.working = true
        const turn = work.then(async () => answerFrame(frame.message, frame.parts))
        work = turn.catch(() => undefined)
        const answer = await turn
        frame.parts.forEach(free)
        if (answer) connection.send(encode(answer))
        mine.working = false
        mine.heardAt = performance.now()
      }
    } finally {
      if (current === mine) {
        current = undefined
        handlers.connected(undefined)
        logger.warn('vision is gone')
      }
    }
  }

  const answerFrame = async (
    raw: unknown,
    parts: readonly Uint8Array[],
  ): Promise<VaultMessage | undefined> => {
    const message = parseMessage(visionMessageSchema, raw)
    if (message.type === 'stats') {
      handlers.stats(message.stats)
      return undefined
    }
    if (message.type === 'selftest') {
      handlers.selftest(message.report)
      return undefined
    }
    const evidenceId = message.type === 'evidence' ? message.evidenceId : message.discarded.evidenceId
    const outcome = await takeIn(message, parts).catch((error: unknown): Outcome => {
      const refused = isRoadveilError(error) ? error.code : 'ERR_INTERNAL'
      logger.error('vision sent something that is refused', { evidenceId, error, code: refused })
      return { refused, again: false }
    })
    if (outcome === 'stored') return { type: 'stored', evidenceId }
    return { type: 'refused', evidenceId, code: outcome.refused, again: outcome.again }
  }

  const takeIn = async (
    message: Exclude<VisionMessage, { type: 'stats' | 'selftest' }>,
    parts: readonly Uint8Array[],
  ): Promise<Outcome> =>
    message.type === 'evidence'
      ? handlers.evidence(parseEvidence(message, parts))
      : handlers.discarded(message.discarded)

  const accept = (stream: Duplex): void => {
    const connection = openConnection(stream)
    const stop = (): void => connection.destroy()
    if (until.aborted) {
      stop()
      return
    }
    // A message in work is finished and answered first.
    const wind = (): void => void work.then(() => setImmediate(() => connection.close()))
    until.addEventListener('abort', wind)
    const served = serve(connection)
      .catch((error: unknown) => {
        const code = isRoadveilError(error) ? error.code : 'ERR_CHANNEL_CLOSED'
        if (code !== 'ERR_CHANNEL_CLOSED') {
          logger.warn('a connection of the channel is closed', { error })
          connection.send(encode({ type: 'bye', code }))
        }
      })
      .finally(() => {
        until.removeEventListener('abort', wind)
        connection.close()
        open.delete(served)
      })
    open.add(served)
  }

  return {
    accept,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(open)
    },
  }
}

async function greet(connection: Connection, hello: { readonly configSha256: string }): Promise<VisionHello> {
  const frame = await connection.receive(HELLO_MS)
  if (!frame) throw new RoadveilError('ERR_CHANNEL_CLOSED', 'the connection closed without a hello')
  const { protocol } = parseMessage(anyHelloSchema, frame.message)
  if (protocol !== CHANNEL_PROTOCOL) {
    throw new RoadveilError(
      'ERR_CHANNEL_VERSION',
      `vision speaks protocol ${protocol}, not ${CHANNEL_PROTOCOL}`,
    )
  }
  const theirs = parseMessage(visionHelloSchema, frame.message)
  if (theirs.configSha256 !== hello.configSha256) {
    throw new RoadveilError('ERR_CHANNEL_CONFIG', 'vision was started with another config')
  }
  return theirs
}

function encode(message: VaultMessage): Uint8Array[] {
  return encodeFrame({ message, parts: [] })
}
