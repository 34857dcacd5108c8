import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import {
  type BrokerAddress,
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
import { type Answers, createAnswers } from './answers.ts'
import type { ReceiverConfig } from './config.ts'
import { createDesk, type Desk, type StoredEvidence } from './desk.ts'
import { deviceKeysIn } from './devices.ts'
import { createEndorsedKeys } from './endorsed-keys.ts'
import { makeFolder } from './files.ts'
import { createIncoming, DEFAULT_INCOMING_LIMITS, type IncomingLimits } from './incoming.ts'
import { createQuarantine } from './quarantine.ts'
import { createStorage } from './storage.ts'
import { createWitness } from './witness.ts'

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
  /** Called for each evidence that was stored, and not for a redelivery. */
  readonly stored?: (evidence: StoredEvidence) => void
  readonly timing?: ReceiverTiming
  readonly limits?: IncomingLimits
  readonly connect?: ConnectBroker
}

export interface Receiver {
  /**
   * Receives until the signal is aborted.
   *
   * @throws RoadveilError ERR_SECRET_FILE or ERR_KEY_INVALID for its own keys, ERR_OUTPUT_FAILED when its folders cannot be used.
   */
  run(signal: AbortSignal): Promise<void>
  readonly connected: () => boolean
}

/** The broker keeps what boxes send for a week while the receiver is away. */
const SESSION_EXPIRY_SECONDS = 7 * 86_400
const CLIENT_ID = 'receiver'

/** Creates the city's receiver: evidence comes in sealed, is checked and opened, and is answered for with a signed receipt. */
export function createReceiver(config: ReceiverConfig, deps: ReceiverDeps): Receiver {
  const { logger } = deps
  const timing = deps.timing ?? DEFAULT_RECEIVER_TIMING
  let connected = false

  const serve = async (way: { desk: Desk; answers: Answers; reset: () => void }, signal: AbortSignal) => {
    await using connection = await (deps.connect ?? connectBroker)(
      {
        address: brokerAddress(config),
        clientId: CLIENT_ID,
        sessionExpirySeconds: SESSION_EXPIRY_SECONDS,
        filters: cityFilters(config.broker.topicPrefix),
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
      await aborted(AbortSignal.any([signal, connection.ended]))
    } finally {
      connected = false
      way.answers.detach()
    }
    if (!signal.aborted) throw connection.ended.reason
  }

  return {
    connected: () => connected,
    async run(signal) {
      const { desk: opened, answers } = await openDesk(config, deps, timing)
      using desk = opened
      await desk.resume()
      await keepConnected(
        (reset) => serve({ desk, answers, reset }, signal),
        (error, attempt, delayMs) => {
          logger.warn('no connection to the broker', { error, attempt, delayMs })
        },
        timing.reconnect,
        signal,
      )
    },
  }
}

async function openDesk(
  config: ReceiverConfig,
  { logger, now, env, limits, stored }: ReceiverDeps,
  timing: ReceiverTiming,
): Promise<{ desk: Desk; answers: Answers }> {
  const key = loadSigningKey({ name: 'receipt-key', file: config.receiptKeyFile, env })
  const identityText = loadSecret({ name: 'identity', file: config.identityFile, env }).toString('utf8')
  const { identity } = await parseIdentityFile(identityText)
  await makeFolders(config)

  const prefix = config.broker.topicPrefix
  const endorsed = createEndorsedKeys(config.stateDirectory, deviceKeysIn(config.devicesDirectory), logger)
  const { deviceKeys } = endorsed
  const answers = createAnswers({ prefix, key, logger, now })
  const incomingDirectory = join(config.stateDirectory, 'incoming')
  const desk = createDesk({
    prefix,
    answers,
    deviceKeys,
    endorsed,
    identity,
    logger,
    incoming: createIncoming(incomingDirectory, deviceKeys, limits ?? DEFAULT_INCOMING_LIMITS, now),
    storage: createStorage(config.outputDirectory),
    witness: createWitness(config.stateDirectory, { deviceKeys, logger, now }),
    quarantine: createQuarantine(
      join(config.stateDirectory, 'quarantine'),
      config.quarantineMaxMiB * 1024 * 1024,
      now,
    ),
    askAfterMs: timing.askAfterMs,
    stored: stored ?? (() => undefined),
  })
  return { desk, answers }
}

async function makeFolders({ outputDirectory, stateDirectory }: ReceiverConfig): Promise<void> {
  try {
    await makeFolder(outputDirectory)
    await makeFolder(stateDirectory)
  } catch (cause) {
    throw new RoadveilError('ERR_OUTPUT_FAILED', `cannot use ${outputDirectory} or ${stateDirectory}`, {
      cause,
    })
  }
}

/** Read at each connection, so that a renewed certificate is used without a restart. */
function brokerAddress({ broker }: ReceiverConfig): BrokerAddress {
  try {
    return {
      url: broker.url,
      ca: readFileSync(broker.caFile, 'utf8'),
      certificate: readFileSync(broker.certificateFile, 'utf8'),
      key: readFileSync(broker.keyFile, 'utf8'),
    }
  } catch (cause) {
    throw new RoadveilError(
      'ERR_BROKER_TLS',
      'a certificate or key of the broker connection cannot be read',
      {
        cause,
      },
    )
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
