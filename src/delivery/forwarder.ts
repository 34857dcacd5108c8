import { type EpochMs, iso } from '../domain/frame.ts'
import { isRoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import {
  type BrokerAddress,
  type BrokerConnection,
  type ConnectBroker,
  connectBroker,
} from '../protocol/connection.ts'
import { keepConnected } from '../protocol/reconnect.ts'
import { encodeStatus, type Status } from '../protocol/status.ts'
import { commandFilter, receiptFilter, type Station, statusTopic } from '../protocol/topics.ts'
import type { Outbox } from '../store/outbox.ts'
import { type CertificateSource, createCertificateSender } from './certificates.ts'
import { type CheckpointSource, sendCheckpoints } from './checkpoints.ts'
import { type CommandDesk, createCommandPost } from './commands.ts'
import { sendEndorsements, type SignedEndorsement } from './endorsements.ts'
import type { VerifyReceipt } from './receipts.ts'
import { createRounds } from './rounds.ts'
import { DEFAULT_DELIVERY_TIMING, type DeliveryTiming } from './timing.ts'

export interface ForwarderDeps {
  readonly outbox: Outbox
  readonly checkpoints: CheckpointSource
  readonly certificates: CertificateSource
  readonly commands: CommandDesk
  /** What older signing keys said about newer ones, the oldest first; read anew for each connection. */
  readonly endorsements: readonly SignedEndorsement[]
  readonly broker: BrokerAddress
  readonly station: Station
  readonly verifyReceipt: VerifyReceipt
  readonly softwareVersion: string
  readonly logger: Logger
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly timing?: DeliveryTiming
  readonly connect?: ConnectBroker
}

/** What the forwarder is doing, for status and health. */
export interface ForwarderState {
  readonly connected: boolean
  /** Why there is no connection, or why the last try failed. */
  readonly lastErrorCode: string | undefined
  /** Evidence that the city confirmed since the start. */
  readonly settled: number
  /** Receipts that were not believed since the start. */
  readonly refusedReceipts: number
}

export interface Forwarder {
  /**
   * Delivers what is in the outbox, for as long as it takes, until the signal is aborted. Coded failures are tried again
   * for ever; it rejects only with an error that has no code, which is a fault of the program.
   */
  run(signal: AbortSignal): Promise<void>
  /** Says that there is something new in the outbox. */
  wake(): void
  /** Ends the connection and makes it anew: the city is to hear of a new signing key before anything that it signs. */
  renew(): void
  state(): ForwarderState
}

/** A day: receipts that come while the box is away wait that long at the broker. */
const SESSION_EXPIRY_SECONDS = 86_400

/** Creates the forwarder, which brings evidence from the outbox to the city and settles it on the city's receipt. */
export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { logger, station } = deps
  const timing = deps.timing ?? DEFAULT_DELIVERY_TIMING
  const rounds = createRounds({ ...deps, timing })
  const certificates = createCertificateSender({ source: deps.certificates, station, timing, logger })
  const commands = createCommandPost({ desk: deps.commands, station, timing, logger })
  let renewal = new AbortController()
  const link: { connected: boolean; errorCode: string | undefined } = {
    connected: false,
    errorCode: undefined,
  }

  const connectOnce = (signal: AbortSignal): Promise<BrokerConnection> => {
    const will = { topic: statusTopic(station), payload: encodeStatus(status('offline')) }
    return (deps.connect ?? connectBroker)(
      {
        address: deps.broker,
        clientId: station.device,
        sessionExpirySeconds: SESSION_EXPIRY_SECONDS,
        filters: [receiptFilter(station), commandFilter(station)],
        will,
        onMessage: async (message) => {
          if (!(await commands.take(message))) rounds.receive(message)
        },
        timeouts: timing.connection,
      },
      signal,
    )
  }

  const status = (state: Status['state']): Status => ({
    schema: 'roadveil.status.v1',
    state,
    connectedAt: iso(deps.now()),
    software: deps.softwareVersion,
  })

  /** A broker that refuses it does not hold up evidence. */
  const sayOnline = async (connection: BrokerConnection): Promise<void> => {
    try {
      await connection.publish(statusTopic(station), encodeStatus(status('online')), { retain: true })
    } catch (error) {
      if (!isRoadveilError(error) || connection.ended.aborted) throw error
      logger.warn('the city does not hear that the box is there', { error })
    }
  }

  const serve = async (signal: AbortSignal, reset: () => void): Promise<void> => {
    renewal = new AbortController()
    await using connection = await connectOnce(signal)
    await sayOnline(connection)
    reset()
    link.connected = true
    link.errorCode = undefined
    logger.info('connected to the broker')
    await sendEndorsements(connection, deps)
    const until = AbortSignal.any([signal, connection.ended, renewal.signal])
    const checkpoints = { source: deps.checkpoints, station, timing, logger }
    await Promise.all([
      rounds.run(connection, until),
      sendCheckpoints(connection, checkpoints, until),
      commands.run(connection, until),
      certificates.run(connection, until),
    ])
    if (connection.ended.aborted) throw connection.ended.reason
  }

  return {
    async run(signal) {
      const serveOnce = async (reset: () => void): Promise<void> => {
        try {
          await serve(signal, reset)
        } finally {
          link.connected = false
        }
      }
      await keepConnected(
        serveOnce,
        (error, attempt, delayMs) => {
          link.errorCode = error.code
          logger.warn('no connection to the broker', { error, attempt, delayMs })
        },
        timing.reconnect,
        signal,
      )
    },
    wake: () => {
      rounds.wake()
    },
    renew: () => {
      renewal.abort()
    },
    state: () => {
      const state = rounds.state()
      return { ...state, connected: link.connected, lastErrorCode: link.errorCode ?? state.lastErrorCode }
    },
  }
}
