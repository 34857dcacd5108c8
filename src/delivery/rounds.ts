import type { EpochMs } from '../domain/frame.ts'
import type { Receipt } from '../domain/receipt.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { BrokerConnection, IncomingMessage } from '../protocol/connection.ts'
import type { Station } from '../protocol/topics.ts'
import type { Outbox, OutboxEntry } from '../store/outbox.ts'
import { backoffMs } from '../waiting.ts'
import { deliverEvidence } from './deliver.ts'
import { createMailbox, type Mailbox } from './mailbox.ts'
import { readReceipt, type VerifyReceipt } from './receipts.ts'
import type { DeliveryTiming } from './timing.ts'

/** Evidence under way at once, so that one the city never answers does not hold up the others. */
const LANES = 4

/** Rounds through the outbox: what is due is delivered, what fails waits its time, what the city confirms is settled. */
export interface Rounds {
  /** Works over one connection until the signal is aborted. Rejects when the outbox cannot be read. */
  run(connection: BrokerConnection, signal: AbortSignal): Promise<void>
  /** Takes a message of the city. */
  receive(message: IncomingMessage): void
  wake(): void
  state(): RoundsState
}

export interface RoundsState {
  readonly lastErrorCode: string | undefined
  readonly settled: number
  readonly refusedReceipts: number
}

/** Creates rounds over one outbox. */
export function createRounds(deps: {
  readonly outbox: Outbox
  readonly station: Station
  readonly verifyReceipt: VerifyReceipt
  readonly logger: Logger
  readonly now: () => EpochMs
  readonly timing: DeliveryTiming
}): Rounds {
  const { outbox, station, logger, now, timing } = deps
  const mailboxes = new Map<string, Mailbox>()
  /** What was tried and not settled since the start: a late answer may be about it. */
  const tried = new Map<string, OutboxEntry>()
  /** Chunks that the city asked for outside of a try: it was away or slow when the evidence was announced. */
  const requests = new Map<string, Receipt>()
  let lastErrorCode: string | undefined
  let settled = 0
  let refusedReceipts = 0
  let alarm = Promise.withResolvers<undefined>()

  const wake = (): void => {
    alarm.resolve(undefined)
  }

  const settle = (receipt: Receipt): void => {
    const { evidenceId, status, keyId } = receipt
    if (outbox.settle(receipt, now()) === 'already') return
    tried.delete(evidenceId)
    requests.delete(evidenceId)
    settled += 1
    logger.info('the city confirmed evidence', { evidenceId, status, receiptKeyId: keyId })
  }

  const tryOnce = async (entry: OutboxEntry, connection: BrokerConnection, signal: AbortSignal) => {
    const { evidenceId } = entry
    const attempt = entry.attempts + 1
    const mailbox = createMailbox()
    tried.set(evidenceId, { ...entry, attempts: attempt })
    mailboxes.set(evidenceId, mailbox)
    const request = requests.get(evidenceId)
    requests.delete(evidenceId)
    try {
      const way = { connection, outbox, station, mailbox, timing, signal }
      const receipt = await deliverEvidence(entry, way, request)
      settle(receipt)
      lastErrorCode = undefined
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      lastErrorCode = error.code
      const { firstMs, mostMs } = timing.retry
      const rejected = error.code === 'ERR_EVIDENCE_REJECTED'
      const delayMs = rejected ? timing.rejectedMs : backoffMs(attempt, firstMs, mostMs)
      // A human may have released it meanwhile.
      if (error.code === 'ERR_EVIDENCE_UNKNOWN') tried.delete(evidenceId)
      outbox.recordAttempt(evidenceId, { at: now(), nextAt: now() + delayMs, errorCode: error.code })
      logger.warn('evidence was not delivered', { evidenceId, error, attempt, delayMs })
    } finally {
      mailboxes.delete(evidenceId)
    }
  }

  const nextEntries = (): OutboxEntry[] => {
    const asked = [...requests.keys()].flatMap((evidenceId) => tried.get(evidenceId) ?? [])
    const due = outbox.due(now(), LANES * 2)
    const seen = new Set(mailboxes.keys())
    return [...asked, ...due].filter(({ evidenceId }) => !seen.has(evidenceId) && seen.add(evidenceId))
  }

  return {
    async run(connection, signal) {
      const failure = new AbortController()
      const either = AbortSignal.any([signal, failure.signal])
      signal.addEventListener('abort', wake)
      const running = new Set<Promise<void>>()
      try {
        while (!either.aborted) {
          alarm = Promise.withResolvers()
          for (const entry of nextEntries().slice(0, LANES - running.size)) {
            const work = tryOnce(entry, connection, either)
              .catch((error: unknown) => {
                // Stopping is no failure of the evidence; anything else here is the outbox failing.
                if (!either.aborted) failure.abort(error)
              })
              .finally(() => {
                running.delete(work)
                wake()
              })
            running.add(work)
          }
          const timer = setTimeout(wake, timing.pollMs)
          await alarm.promise
          clearTimeout(timer)
        }
      } finally {
        failure.abort()
        signal.removeEventListener('abort', wake)
        await Promise.all(running)
      }
      if (!signal.aborted) failure.signal.throwIfAborted()
    },
    receive(message) {
      try {
        const receipt = readReceipt(message, station, deps.verifyReceipt)
        const { evidenceId, status } = receipt
        const entry = tried.get(evidenceId)
        if (entry && entry.ciphertextSha256 !== receipt.ciphertextSha256) {
          throw new RoadveilError(
            'ERR_RECEIPT_MISMATCH',
            'a receipt names another ciphertext than the one sent',
          )
        }
        const mailbox = mailboxes.get(evidenceId)
        if (mailbox) mailbox.put(receipt)
        else if (status === 'stored' || status === 'duplicate') settle(receipt)
        else if (status === 'incomplete' && entry) requests.set(evidenceId, receipt)
        wake()
      } catch (error) {
        if (!isRoadveilError(error)) throw error
        refusedReceipts += 1
        lastErrorCode = error.code
        logger.warn('a receipt was ignored', { error })
      }
    },
    wake,
    state: () => ({ lastErrorCode, settled, refusedReceipts }),
  }
}
