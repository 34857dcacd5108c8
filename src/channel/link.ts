import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DiscardedEvidence, RedactedEvidence } from '../domain/evidence.ts'
import { ERRORS, isRoadveilError, RoadveilError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import { backoffMs, pause } from '../waiting.ts'
import { openConnection } from './connection.ts'
import type { Connection } from './connection.ts'
import { encodeFrame } from './framing.ts'
import { createLane } from './lane.ts'
import type { Answer } from './lane.ts'
import { CHANNEL_PROTOCOL, evidenceFrame, parseMessage, vaultMessageSchema } from './messages.ts'
import type { SelftestReport, VisionHello, VisionStats } from './messages.ts'
import { dialSocket } from './socket.ts'

/** vision's end of the channel. */
export interface VaultLink extends AsyncDisposable {
  /**
   * Hands an evidence over. Resolves `stored` once vault has committed it, or `refused` if vault will never take it; in
   * between it waits, over restarts of vault and while its store is full. Nothing is copied: a caller bounds the memory
   * by how many deliveries it leaves open.
   *
   * @throws ERR_CHANNEL_CLOSED once the link is closed, ERR_EVIDENCE_INVALID or ERR_CHANNEL_MESSAGE if the evidence
   * cannot be sent at all.
   */
  deliver(evidence: RedactedEvidence): Promise<Answer>
  /** Records that a violation left no evidence. Beyond a thousand unconfirmed ones the newest are dropped. */
  discard(discarded: DiscardedEvidence): void
  /** Says how vision is doing. Only the latest counts; it is left out while the channel is busy. */
  report(stats: VisionStats): void
  /** Says how the self-test went; kept for vault if it is away. */
  reportSelftest(report: SelftestReport): void
  /** What last passed the self-test on this box, as vault says when it is first reached; null where nothing did. */
  readonly selftestPassedBy: Promise<string | null>
  /** Evidence that vault has not confirmed. */
  readonly waiting: number
  /**
   * Resolves when the link is closed. Rejects with ERR_CHANNEL_VERSION or ERR_CHANNEL_CONFIG when vault has refused this
   * process for five seconds: then only a restart helps.
   */
  readonly done: Promise<void>
}

export interface LinkOptions {
  readonly socketPath: string
  /** This process's version and the SHA-256 of the config that it was started with. */
  readonly hello: { readonly version: string; readonly configSha256: string }
  readonly logger: Logger
}

/** Both are on one machine: asking often costs little, and evidence waits in memory. */
const RECONNECT_MS = { first: 100, most: 2_000 } as const
const ANSWER_MS = 10_000
/** A vault that is being restarted may still be the old one; after this long it is not. */
const REFUSED_MS = 5_000
const MAX_DISCARDS = 1_000
/** How long a closing link waits for vault to confirm what was discarded. */
const FAREWELL_MS = 2_000

/** Opens vision's end of the channel; connects, and connects again, until the signal aborts or the link is disposed. */
export function connectVault(options: LinkOptions, signal: AbortSignal): VaultLink {
  return createLink((until) => dialSocket(options.socketPath, until), options, signal)
}

/**
 * The channel without a socket, for tests: the same link over a stream in memory. `accept` gets vault's end each time
 * that the link connects.
 */
export function connectInMemory(
  accept: (stream: Duplex) => void,
  options: Omit<LinkOptions, 'socketPath'>,
  signal: AbortSignal,
): VaultLink {
  const dial = async (): Promise<Duplex> => {
    const [mine, theirs] = duplexPair()
    accept(theirs)
    return mine
  }
  return createLink(dial, options, signal)
}

function createLink(
  dial: (signal: AbortSignal) => Promise<Duplex>,
  { hello, logger }: Omit<LinkOptions, 'socketPath'>,
  signal: AbortSignal,
): VaultLink {
  const closing = new AbortController()
  const until = AbortSignal.any([signal, closing.signal])
  const stopped = (): boolean => until.aborted
  const evidence = createLane()
  const discards = createLane()
  let connection: Connection | undefined
  let dropped = 0
  let selftest: SelftestReport | undefined
  const passedBy = Promise.withResolvers<string | null>()
  passedBy.promise.catch(() => undefined)

  const sendSelftest = (): void => {
    if (!connection || !selftest) return
    connection.send(encodeFrame({ message: { type: 'selftest', report: selftest }, parts: [] }))
  }

  /** Talks over one connection until it ends. */
  const talk = async (opened: Connection, greeted: () => void): Promise<void> => {
    const myHello: VisionHello = { type: 'hello', protocol: CHANNEL_PROTOCOL, ...hello }
    opened.send(encodeFrame({ message: myHello, parts: [] }))
    passedBy.resolve(parseHello((await opened.receive(ANSWER_MS))?.message))
    greeted()
    connection = opened
    sendSelftest()
    evidence.attach((encoded) => opened.send(encoded))
    discards.attach((encoded) => opened.send(encoded))
    for (let frame = await opened.receive(); frame; frame = await opened.receive()) {
      const message = parseMessage(vaultMessageSchema, frame.message)
      if (message.type === 'bye') throw refusal(message.code)
      if (message.type === 'hello') throw new RoadveilError('ERR_CHANNEL_MESSAGE', 'a second hello')
      const answer =
        message.type === 'stored' ? 'stored' : message.again ? 'again' : { refused: message.code }
      if (!evidence.answer(message.evidenceId, answer)) discards.answer(message.evidenceId, answer)
    }
  }

  const run = async (): Promise<void> => {
    let attempt = 0
    let refusedSince: number | undefined
    let reason: string | undefined
    while (!stopped()) {
      let opened: Connection | undefined
      const stop = (): void => opened?.destroy()
      try {
        opened = openConnection(await dial(until))
        until.addEventListener('abort', stop)
        await talk(opened, () => {
          logger.info('connected to vault')
          attempt = 0
          refusedSince = reason = undefined
        })
        logger.warn('vault closed the channel')
      } catch (error) {
        if (stopped()) break
        const coded = isRoadveilError(error)
          ? error
          : new RoadveilError('ERR_CHANNEL_CLOSED', 'vault does not answer', { cause: error })
        if (coded.code !== reason) logger.warn('no channel to vault', { error: coded })
        reason = coded.code
        if (reason === 'ERR_CHANNEL_VERSION' || reason === 'ERR_CHANNEL_CONFIG') {
          refusedSince ??= performance.now()
          if (performance.now() - refusedSince >= REFUSED_MS) throw coded
        } else refusedSince = undefined
      } finally {
        until.removeEventListener('abort', stop)
        connection = undefined
        evidence.detach()
        discards.detach()
        opened?.destroy()
      }
      attempt += 1
      await pause(backoffMs(attempt, RECONNECT_MS.first, RECONNECT_MS.most), until)
    }
  }

  const done = run().finally(() => {
    passedBy.reject(new RoadveilError('ERR_CHANNEL_CLOSED', 'the link to vault is closed'))
    evidence.close()
    discards.close()
  })
  done.catch(() => undefined)

  return {
    async deliver(redacted) {
      return evidence.push(redacted.facts.evidenceId, encodeFrame(evidenceFrame(redacted)))
    },
    discard(discarded) {
      if (discards.waiting >= MAX_DISCARDS) {
        if (dropped++ === 0)
          logger.warn('too many discarded violations wait for vault', { count: MAX_DISCARDS })
        return
      }
      const encoded = encodeFrame({ message: { type: 'discarded', discarded }, parts: [] })
      // Closing the link is the only failure; there is nobody left to tell.
      discards.push(discarded.evidenceId, encoded).catch(() => undefined)
    },
    report(stats) {
      if (connection?.idle) connection.send(encodeFrame({ message: { type: 'stats', stats }, parts: [] }))
    },
    reportSelftest(report) {
      selftest = report
      sendSelftest()
    },
    selftestPassedBy: passedBy.promise,
    get waiting() {
      return evidence.waiting
    },
    done,
    async [Symbol.asyncDispose]() {
      // What was discarded while stopping is recorded too, if vault is there to take it.
      const until = performance.now() + FAREWELL_MS
      while (connection && discards.waiting > 0 && performance.now() < until) await sleep(20)
      closing.abort()
      await done.catch(() => undefined)
    },
  }
}

function parseHello(message: unknown): string | null {
  if (message === undefined) throw new RoadveilError('ERR_CHANNEL_CLOSED', 'vault closed the connection')
  const hello = parseMessage(vaultMessageSchema, message)
  if (hello.type === 'bye') throw refusal(hello.code)
  if (hello.type !== 'hello') throw new RoadveilError('ERR_CHANNEL_MESSAGE', 'vault did not begin with hello')
  return hello.selftestPassedBy
}

function refusal(code: string): RoadveilError {
  const known: ErrorCode = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'ERR_CHANNEL_CLOSED'
  return new RoadveilError(known, `vault refused this process (${code})`)
}
