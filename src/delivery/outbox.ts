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

/** What the forwarder needs of the store. Every call is done when it returns, and throws a coded error when it cannot be. */
export interface Outbox {
  /** At most `limit` entries whose time has come, the oldest first. */
  due(now: EpochMs, limit: number): readonly OutboxEntry[]
  /** The signed manifest. Throws ERR_EVIDENCE_UNKNOWN. */
  manifest(evidenceId: string): Uint8Array
  /** The chunk with this index, from 0. Throws ERR_EVIDENCE_UNKNOWN. */
  chunk(evidenceId: string, index: number): Uint8Array
  /** Notes a try that failed, and not to try again before `nextAt`. */
  recordAttempt(
    evidenceId: string,
    attempt: { readonly at: EpochMs; readonly nextAt: EpochMs; readonly errorCode: string },
  ): void
  /**
   * Lets go of the evidence: the receipt was verified and says `stored` or `duplicate`. `already` for one that came before.
   * Throws ERR_EVIDENCE_UNKNOWN, ERR_RECEIPT_MISMATCH when it names another ciphertext.
   */
  settle(receipt: Receipt, at: EpochMs): 'deleted' | 'held' | 'already' | 'kept'
}
