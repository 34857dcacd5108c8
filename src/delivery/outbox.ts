import type { EpochMs } from '../domain/frame.ts'
import type { Receipt } from '../domain/receipt.ts'

/** One sealed evidence that the city has not confirmed. */
export interface OutboxEntry {
  readonly evidenceId: string
  /** Lower-case hex. */
  readonly ciphertextSha256: string
  readonly chunkCount: number
  /** Tries that failed so far. */
  readonly attempts: number
}

/** What became of one try. */
export interface FailedAttempt {
  readonly at: EpochMs
  /** Not before this moment it is tried again. */
  readonly nextAt: EpochMs
  readonly errorCode: string
}

/** What the forwarder needs of the store. Every call is done when it returns. */
export interface Outbox {
  /** At most `limit` entries whose time has come, the longest waiting first. */
  due(now: EpochMs, limit: number): readonly OutboxEntry[]
  /** The entry, or undefined once it is settled or if it never was. */
  find(evidenceId: string): OutboxEntry | undefined
  /** The signed manifest. */
  manifest(evidenceId: string): Uint8Array
  /** The chunk with this index, from 0. */
  chunk(evidenceId: string, index: number): Uint8Array
  recordAttempt(evidenceId: string, attempt: FailedAttempt): void
  /** Lets go of the evidence: the receipt was verified, says `stored` or `duplicate`, and names this ciphertext. */
  settle(receipt: Receipt): void
}
