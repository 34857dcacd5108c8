import type { IClientOptions, MqttClient } from 'mqtt'
import { RoadveilError } from '../errors.ts'
import { connectError } from './broker-error.ts'
import type { ConnectionOptions } from './connection.ts'
import { MAX_PACKET_BYTES } from './limits.ts'

/** Messages on their way to the broker at once. */
export const MAX_IN_FLIGHT = 4
const KEEPALIVE_SECONDS = 30
const CLOSE_MS = 1000

/** MQTT 5 over TLS 1.3, and nothing of MQTT.js's own reconnecting and queueing. */
export function clientOptions(options: ConnectionOptions): IClientOptions {
  const tls = {
    ca: options.address.ca,
    cert: options.address.certificate,
    key: options.address.key,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
  } as const
  return {
    ...tls,
    protocolVersion: 5,
    manualConnect: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    clean: false,
    clientId: options.clientId,
    keepalive: KEEPALIVE_SECONDS,
    connectTimeout: options.timeouts.connectMs,
    properties: {
      sessionExpiryInterval: options.sessionExpirySeconds,
      receiveMaximum: MAX_IN_FLIGHT * 4,
      maximumPacketSize: MAX_PACKET_BYTES,
    },
    ...(options.will && { will: { ...options.will, qos: 1, retain: true } }),
  }
}

/** What the broker said in its CONNACK. */
export interface BrokerLimits {
  readonly maximumPacketSize: number
  readonly receiveMaximum: number
}

/** Waits for the CONNACK and tells what the broker accepts. */
export async function openClient(
  client: MqttClient,
  connectMs: number,
  signal: AbortSignal,
): Promise<BrokerLimits> {
  let secured = false
  client.stream.once('secureConnect', () => (secured = true))
  const { promise, resolve, reject } = Promise.withResolvers<BrokerLimits>()
  const aborted = (): void => reject(signal.reason as Error)
  const timer = setTimeout(() => {
    reject(new RoadveilError('ERR_BROKER_UNREACHABLE', 'the broker did not answer in time'))
  }, connectMs)
  signal.addEventListener('abort', aborted)
  client.once('error', (cause) => reject(connectError(cause, secured)))
  client.once('close', () => reject(connectError(undefined, secured)))
  client.once('connect', ({ properties }) => {
    resolve({
      maximumPacketSize: properties?.maximumPacketSize ?? MAX_PACKET_BYTES,
      receiveMaximum: properties?.receiveMaximum ?? MAX_IN_FLIGHT,
    })
  })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
  }
}

/** Ends the connection for good when anything about it breaks. */
export function watchClient(client: MqttClient, end: (error: RoadveilError) => void): void {
  client.on('error', (cause) =>
    end(new RoadveilError('ERR_BROKER_LOST', 'the connection to the broker broke', { cause })),
  )
  client.on('close', () =>
    end(new RoadveilError('ERR_BROKER_LOST', 'the connection to the broker was closed')),
  )
  client.on('disconnect', ({ reasonCode }) => {
    end(
      new RoadveilError('ERR_BROKER_LOST', `the broker ended the connection with reason ${reasonCode ?? 0}`),
    )
  })
}

/** Says goodbye with reason 4, "disconnect with will message" (MQTT 5, 3.14.2.1), and does not wait for it forever. */
export async function closeClient(client: MqttClient): Promise<void> {
  if (client.stream.destroyed) return
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), CLOSE_MS)
  client.once('close', () => resolve(undefined))
  client.end(false, { reasonCode: 4 })
  await promise
  clearTimeout(timer)
  client.stream.destroy()
}
