import { Socket } from 'node:net'
import { connect, type MqttClient } from 'mqtt'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { connectError, reasonCodeOf } from './broker-error.ts'
import {
  type BrokerLimits,
  clientOptions,
  closeClient,
  MAX_IN_FLIGHT,
  openClient,
  watchClient,
} from './mqtt-client.ts'
import { createSlots } from './slots.ts'

/** Where the broker is and how both sides prove who they are. */
export interface BrokerAddress {
  /** mqtts://host:port. */
  readonly url: string
  /** PEM: the only authority that the broker's certificate may come from. */
  readonly ca: string
  /** PEM: our certificate. */
  readonly certificate: string
  /** PEM: our private key. */
  readonly key: string
}

/** One message that came in. */
export interface IncomingMessage {
  readonly topic: string
  readonly payload: Buffer
}

/** How one connection is made. */
export interface ConnectionOptions {
  readonly address: BrokerAddress
  readonly clientId: string
  /** How long the broker keeps our subscriptions and waiting messages while we are away. */
  readonly sessionExpirySeconds: number
  /** Topic filters to subscribe to, QoS 1. */
  readonly filters: readonly string[]
  /** Retained message that the broker publishes when this connection ends, whichever way. */
  readonly will?: { readonly topic: string; readonly payload: Buffer }
  /**
   * Takes one message; the next one waits, and the broker gets its PUBACK only afterwards: this is the back-pressure.
   * Must not wait for a `publish` of the same connection, whose PUBACK waits behind this message.
   */
  readonly onMessage: (message: IncomingMessage) => Promise<void>
  readonly timeouts: ConnectionTimeouts
}

/** How long the broker may take, in milliseconds. */
export interface ConnectionTimeouts {
  readonly connectMs: number
  /** From writing a message to its PUBACK. */
  readonly publishMs: number
}

/** Enough for four chunks on a bad mobile line (about 64 kbit/s), and little enough that others do not wait for a minute. */
export const DEFAULT_CONNECTION_TIMEOUTS: ConnectionTimeouts = { connectMs: 20_000, publishMs: 50_000 }

/** Makes a connection; what `connectBroker` does over the network. */
export type ConnectBroker = (options: ConnectionOptions, signal: AbortSignal) => Promise<BrokerConnection>

/**
 * A connection that stands. When it breaks it is over; whoever made it makes a new one. Disposing of it says goodbye and
 * waits for the message that is being dealt with.
 */
export interface BrokerConnection extends AsyncDisposable {
  /**
   * Publishes at QoS 1 and waits for the PUBACK; at most four are on their way, the others wait.
   *
   * @throws RoadveilError ERR_MESSAGE_TOO_LARGE, ERR_PUBLISH_REFUSED, ERR_BROKER_LOST, or ERR_PUBLISH_TIMEOUT for a message that
   *   itself had no answer, which ends the connection.
   */
  publish(topic: string, payload: Buffer, options?: PublishOptions): Promise<void>
  /** Throws ERR_MESSAGE_TOO_LARGE where the broker accepts no message of so many bytes under this topic. */
  checkSize(topic: string, payloadBytes: number): void
  /** Aborted when the connection has ended, with the RoadveilError that says why. */
  readonly ended: AbortSignal
}

export interface PublishOptions {
  readonly retain?: boolean
  /** How long the broker may keep the message for a receiver that is away. */
  readonly expirySeconds?: number
}

/** Fixed header, packet identifier and the properties that we use. */
const PACKET_OVERHEAD_BYTES = 32

/**
 * Connects to a broker with MQTT 5 over TLS 1.3, both sides showing certificates, and subscribes.
 *
 * MQTT.js neither reconnects nor queues here: every connection is a new client, so that nothing is believed to be sent
 * because it lies in that library's memory.
 *
 * @throws RoadveilError ERR_BROKER_UNREACHABLE, ERR_BROKER_TLS or ERR_BROKER_REFUSED; the signal's reason when aborted.
 */
export async function connectBroker(
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<BrokerConnection> {
  signal.throwIfAborted()
  const client = connect(options.address.url, clientOptions(options))
  const ending = new AbortController()
  const end = (error: RoadveilError): void => {
    if (!ending.signal.aborted) ending.abort(error)
    client.stream.destroy()
  }
  let handling: Promise<void> = Promise.resolve()
  client.handleMessage = (packet, done) => {
    // What was read before the end but not begun comes again: it got no PUBACK.
    if (ending.signal.aborted) return
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
    handling = options.onMessage({ topic: packet.topic, payload }).then(
      () => done(),
      (cause: unknown) =>
        end(new RoadveilError('ERR_BROKER_LOST', 'a message could not be handled', { cause })),
    )
  }
  try {
    client.connect()
    // Messages are small and answered one by one: none should wait for the acknowledgement of the one before (RFC 896).
    if (client.stream instanceof Socket) client.stream.setNoDelay(true)
    const limits = await openClient(client, options.timeouts.connectMs, signal)
    watchClient(client, end)
    const checkSize = sizeCheck(limits)
    const publish = publisher(client, limits, ending.signal, end, options.timeouts)
    await subscribe(client, options, ending.signal)
    return {
      publish,
      checkSize,
      ended: ending.signal,
      async [Symbol.asyncDispose]() {
        await closeClient(client)
        end(new RoadveilError('ERR_BROKER_LOST', 'the connection was closed on this side'))
        await handling
      },
    }
  } catch (error) {
    client.on('error', () => undefined)
    // There is no stream yet when a certificate or key cannot be read.
    ;(client.stream as MqttClient['stream'] | undefined)?.destroy()
    throw isRoadveilError(error) || signal.aborted ? error : connectError(error, false)
  }
}

async function subscribe(client: MqttClient, options: ConnectionOptions, ended: AbortSignal): Promise<void> {
  if (options.filters.length === 0) return
  await settled(options.timeouts.connectMs, ended, (done) => {
    client.subscribe([...options.filters], { qos: 1 }, (cause) => {
      done(cause && new RoadveilError('ERR_BROKER_REFUSED', 'the broker refused the subscription', { cause }))
    })
  })
}

function sizeCheck({ maximumPacketSize }: BrokerLimits): BrokerConnection['checkSize'] {
  return (topic, payloadBytes) => {
    const bytes = payloadBytes + Buffer.byteLength(topic) + PACKET_OVERHEAD_BYTES
    if (bytes <= maximumPacketSize) return
    const sizes = `${bytes} bytes, the broker accepts ${maximumPacketSize}`
    throw new RoadveilError('ERR_MESSAGE_TOO_LARGE', `a message is too large for the broker: ${sizes}`)
  }
}

function publisher(
  client: MqttClient,
  limits: BrokerLimits,
  ended: AbortSignal,
  end: (error: RoadveilError) => void,
  timeouts: ConnectionTimeouts,
): BrokerConnection['publish'] {
  const checkSize = sizeCheck(limits)
  const slots = createSlots(Math.min(MAX_IN_FLIGHT, limits.receiveMaximum))
  return async (topic, payload, { retain = false, expirySeconds } = {}) => {
    checkSize(topic, payload.length)
    const properties = expirySeconds === undefined ? {} : { messageExpiryInterval: expirySeconds }
    await slots.use(async () => {
      try {
        await settled(timeouts.publishMs, ended, (done) => {
          client.publish(topic, payload, { qos: 1, retain, properties }, (cause) =>
            done(cause && refused(cause)),
          )
        })
      } catch (error) {
        // Its packet identifier stays taken, so the connection that did not answer is not used any longer.
        if (isRoadveilError(error, 'ERR_PUBLISH_TIMEOUT')) {
          end(new RoadveilError('ERR_BROKER_LOST', 'the broker left a message unanswered', { cause: error }))
        }
        throw error
      }
    })
  }
}

function refused(cause: Error): RoadveilError {
  const reason = reasonCodeOf(cause)
  return reason === undefined
    ? new RoadveilError('ERR_BROKER_LOST', 'the connection ended before the message was acknowledged', {
        cause,
      })
    : new RoadveilError('ERR_PUBLISH_REFUSED', `the broker refused a message with reason ${reason}`, {
        cause,
      })
}

/** Waits for an acknowledgement, but not beyond the time-out or the connection's end. */
async function settled(
  timeoutMs: number,
  ended: AbortSignal,
  start: (done: (error: RoadveilError | null | undefined) => void) => void,
): Promise<void> {
  ended.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const beganAt = performance.now()
  const unanswered = (): void =>
    reject(new RoadveilError('ERR_PUBLISH_TIMEOUT', `the broker did not acknowledge within ${timeoutMs} ms`))
  const lost = (): void => {
    const { cause } = ended.reason as Error
    // What has waited nearly as long as the one that ended the connection would have had no answer, either.
    const isAsOld = performance.now() - beganAt > timeoutMs / 2
    if (isRoadveilError(cause, 'ERR_PUBLISH_TIMEOUT') && isAsOld) unanswered()
    else reject(ended.reason as Error)
  }
  const timer = setTimeout(unanswered, timeoutMs)
  ended.addEventListener('abort', lost)
  try {
    start((error) => {
      if (error) reject(error)
      else resolve(undefined)
    })
    await promise
  } finally {
    clearTimeout(timer)
    ended.removeEventListener('abort', lost)
  }
}
