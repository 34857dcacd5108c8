import type { Logger } from '../log.ts'
import {
  type ConnectBroker,
  connectBroker,
  type ConnectionTimeouts,
  DEFAULT_CONNECTION_TIMEOUTS,
} from '../protocol/connection.ts'
import { type Backoff, keepConnected } from '../protocol/reconnect.ts'
import { cityFilters } from '../protocol/topics.ts'
import { parseIdentityFile } from '../sealing/identity.ts'
import { loadSigningKey } from '../sealing/keys.ts'
import { loadSecret } from '../sealing/secret.ts'
import { pause, untilAborted } from '../waiting.ts'
import { type Answers, createAnswers } from './answers.ts'
import { brokerAddress } from './broker-address.ts'
import type { ReceiverConfig } from './config.ts'
import { createDesk, type Desk } from './desk.ts'
import type { IncomingLimits, StoredEvidence } from './incoming.ts'
import { openKeeping } from './keeping.ts'

/** How long the receiver waits for what. Milliseconds. */
export interface ReceiverTiming {
  readonly connection: ConnectionTimeouts
  readonly reconnect: Backoff
  /** Without a chunk for this long, the missing ones are asked for. */
  readonly askAfterMs: number
}

export const DEFAULT_RECEIVER_TIMING: ReceiverTiming = {
  connection: DEFAULT_CONNECTION_TIMEOUTS,
  reconnect: { firstMs: 1000, mostMs: 60_000 },
  askAfterMs: 3000,
}

export interface ReceiverDeps {
  readonly logger: Logger
  readonly now: () => number
  /** Where systemd credentials are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>
  /**
   * Called for each evidence that was accepted, and not for a redelivery. With a database it is called again, by any receiver, where
   * one was killed between accepting and calling.
   */
  readonly stored?: (evidence: StoredEvidence) => void
  readonly timing?: ReceiverTiming
  readonly limits?: IncomingLimits
  readonly connect?: ConnectBroker
}

export interface Receiver {
  /**
   * Receives until the signal is aborted.
   *
   * @throws RoadveilError ERR_SECRET_FILE or ERR_KEY_INVALID for its own keys; ERR_OUTPUT_FAILED, ERR_DATABASE_… or ERR_BUCKET_… when
   *   its folders, its database or its bucket cannot be used.
   */
  run(signal: AbortSignal): Promise<void>
  readonly connected: () => boolean
}

/** The broker keeps what boxes send for a week while the receiver is away. */
const SESSION_EXPIRY_SECONDS = 7 * 86_400
/** Of a group, the others are there: nothing must wait for one that does not come back. */
const SHARED_SESSION_EXPIRY_SECONDS = 0

/** Creates the city's receiver: evidence comes in sealed, is checked and opened, and is answered for with a signed receipt. */
export function createReceiver(config: ReceiverConfig, deps: ReceiverDeps): Receiver {
  const { logger } = deps
  const timing = deps.timing ?? DEFAULT_RECEIVER_TIMING
  const { clientId, sharedGroup, topicPrefix } = config.broker
  let connected = false

  const serve = async (way: { desk: Desk; answers: Answers; reset: () => void }, signal: AbortSignal) => {
    await using connection = await (deps.connect ?? connectBroker)(
      {
        address: brokerAddress(config.broker, config.broker),
        clientId,
        sessionExpirySeconds:
          sharedGroup === undefined ? SESSION_EXPIRY_SECONDS : SHARED_SESSION_EXPIRY_SECONDS,
        filters: cityFilters(topicPrefix, sharedGroup),
        onMessage: (message) => way.desk.handle(message),
        timeouts: timing.connection,
      },
      signal,
    )
    way.reset()
    way.answers.attach(connection)
    connected = true
    logger.info('connected to the broker')
    try {
      await untilAborted(AbortSignal.any([signal, connection.ended]))
    } finally {
      connected = false
      way.answers.detach()
    }
    if (!signal.aborted) throw connection.ended.reason
  }

  return {
    connected: () => connected,
    async run(signal) {
      const { key, identity } = await loadKeys(config, deps.env)
      await using keeping = await openKeeping(config, deps)
      const answers = createAnswers({ prefix: topicPrefix, key, logger, now: deps.now })
      const desk = createDesk({
        ...{ ...keeping, prefix: topicPrefix, answers, identity, logger, askAfterMs: timing.askAfterMs },
        stored: deps.stored ?? (() => undefined),
      })
      await desk.resume()
      const ending = new AbortController()
      const looking = lookAround(desk, timing.askAfterMs / 2, AbortSignal.any([signal, ending.signal]))
      try {
        await keepConnected(
          (reset) => serve({ desk, answers, reset }, signal),
          (error, attempt, delayMs) => {
            logger.warn('no connection to the broker', { error, attempt, delayMs })
          },
          timing.reconnect,
          signal,
        )
      } finally {
        ending.abort()
        await looking
      }
    },
  }
}

async function lookAround(desk: Desk, everyMs: number, signal: AbortSignal): Promise<void> {
  await pause(everyMs, signal)
  while (!signal.aborted) {
    await desk.lookAfter()
    await pause(everyMs, signal)
  }
}

async function loadKeys({ receiptKeyFile, identityFile }: ReceiverConfig, env: ReceiverDeps['env']) {
  const key = loadSigningKey({ name: 'receipt-key', file: receiptKeyFile, env })
  const identityText = loadSecret({ name: 'identity', file: identityFile, env }).toString('utf8')
  const { identity } = await parseIdentityFile(identityText)
  return { key, identity }
}
