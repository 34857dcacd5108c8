import { type ConnectionTimeouts, DEFAULT_CONNECTION_TIMEOUTS } from '../protocol/connection.ts'
import type { Backoff } from '../protocol/reconnect.ts'

/** How long the forwarder waits for what. Milliseconds. */
export interface DeliveryTiming {
  readonly connection: ConnectionTimeouts
  /** For the city's answer to a manifest. */
  readonly answerMs: number
  /** For the city's answer after the last chunk: it decrypts, checks and writes. */
  readonly confirmMs: number
  /** Evidence that gets nowhere holds those after it up for so long. */
  readonly patienceMs: number
  /** Between looks at the outbox, for entries whose time has come. */
  readonly pollMs: number
  readonly reconnect: Backoff
  readonly retry: Backoff
  /** After the city has rejected an evidence: only a human's work on either side can change its mind. */
  readonly rejectedMs: number
}

export const DEFAULT_DELIVERY_TIMING: DeliveryTiming = {
  connection: DEFAULT_CONNECTION_TIMEOUTS,
  answerMs: 5000,
  confirmMs: 30_000,
  patienceMs: 30_000,
  pollMs: 1000,
  reconnect: { firstMs: 1000, mostMs: 60_000 },
  retry: { firstMs: 2000, mostMs: 300_000 },
  rejectedMs: 900_000,
}
