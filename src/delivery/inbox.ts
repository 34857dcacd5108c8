import type { EpochMs } from '../domain/frame.ts'
import type { Receipt } from '../domain/receipt.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { IncomingMessage } from '../protocol/connection.ts'
import type { Station } from '../protocol/topics.ts'
import type { Outbox, OutboxEntry } from '../store/outbox.ts'
import type { Mailbox } from './mailbox.ts'
import { readReceipt, type VerifyReceipt } from './receipts.ts'

/** Where the city's answers come in: to the try that waits for one, or, when there is none, for what was tried before. */
export interface Inbox {
  /** Takes a message of the city. What is not believed is counted and logged. */
  receive(message: IncomingMessage): void
  /** A try begins: its receipts go into this mailbox. Returns the city's request that came since the last one. */
  open(entry: OutboxEntry, mailbox: Mailbox): Receipt | undefined
  close(entry: OutboxEntry): void
  /** The city has it: it leaves the outbox. */
  settle(receipt: Receipt): void
  /** It was set aside after a try that failed. */
  setAside(entry: OutboxEntry): void
  /** What was set aside and the city has asked for meanwhile. */
  askedFor(): readonly OutboxEntry[]
  /** Nothing was heard of the city during a whole try, or ever. */
  isCityAway(): boolean
  state(): { readonly settled: number; readonly refusedReceipts: number }
}

/** A try that was made and not settled since the start: a late answer may be about it. */
interface Tried {
  entry: OutboxEntry
  readonly beganAt: number
  isAside: boolean
  /** It has its place in the order back, and was not tried since. */
  isBack: boolean
  /** How often it was left unanswered after that. */
  vainReturns: number
}

/** Evidence that was left unanswered so often when the city was back is why itself: the others wait for it no more. */
const MAX_VAIN_RETURNS = 3

/** Creates the inbox of one outbox. */
export function createInbox(deps: {
  readonly outbox: Outbox
  readonly station: Station
  readonly verifyReceipt: VerifyReceipt
  readonly logger: Logger
  readonly now: () => EpochMs
  readonly wake: () => void
  readonly refused: (code: string) => void
  /** Called when what was set aside for the city's silence has its place in the order back. */
  readonly cityIsBack: () => void
}): Inbox {
  const { outbox, station, logger, now } = deps
  const mailboxes = new Map<string, Mailbox>()
  const tried = new Map<string, Tried>()
  /** Chunks that the city asked for outside of a try: it was away or slow when the evidence was announced. */
  const requests = new Map<string, Receipt>()
  let heardAt = -Infinity
  /** Nothing was heard during a whole try: the city is away, which no evidence can help. */
  let isSilent = true
  let settled = 0
  let refusedReceipts = 0

  const settle = (receipt: Receipt): void => {
    const { evidenceId, status, keyId } = receipt
    if (outbox.settle(receipt, now()) === 'already') return
    tried.delete(evidenceId)
    requests.delete(evidenceId)
    settled += 1
    logger.info('the city confirmed evidence', { evidenceId, status, receiptKeyId: keyId })
  }

  /** True when evidence got its place in the order back, and what is under way has to make room. */
  const hear = (): boolean => {
    heardAt = performance.now()
    if (!isSilent) return false
    isSilent = false
    const aside = [...tried.values()].filter(({ isAside }) => isAside)
    const isGivenUp = ({ vainReturns }: Tried): boolean => vainReturns >= MAX_VAIN_RETURNS
    const but = aside.filter(isGivenUp).map(({ entry }) => entry.evidenceId)
    if (outbox.backInOrder('ERR_RECEIPT_MISSING', but) === 0) return false
    for (const each of aside) {
      if (isGivenUp(each)) continue
      each.isAside = false
      each.isBack = true
    }
    deps.cityIsBack()
    return true
  }

  const take = (receipt: Receipt): void => {
    const { evidenceId, status } = receipt
    const entry = tried.get(evidenceId)?.entry
    if (entry && entry.ciphertextSha256 !== receipt.ciphertextSha256) {
      throw new RoadveilError('ERR_RECEIPT_MISMATCH', 'a receipt names another ciphertext than the one sent')
    }
    const own = mailboxes.get(evidenceId)
    if (status === 'rejected') {
      // Before all are called back: it ends its try, and nothing else would remember it.
      own?.put(receipt)
      hear()
    } else if (!hear() && own) own.put(receipt)
    else if (status === 'stored' || status === 'duplicate') settle(receipt)
    else if (entry) requests.set(evidenceId, receipt)
    deps.wake()
  }

  return {
    receive(message) {
      try {
        take(readReceipt(message, station, deps.verifyReceipt))
      } catch (error) {
        if (!isRoadveilError(error)) throw error
        refusedReceipts += 1
        deps.refused(error.code)
        logger.warn('a receipt was ignored', { error })
      }
    },
    open(entry, mailbox) {
      const { evidenceId } = entry
      const { isBack = false, vainReturns = 0 } = tried.get(evidenceId) ?? {}
      tried.set(evidenceId, { entry, beganAt: performance.now(), isAside: false, isBack, vainReturns })
      mailboxes.set(evidenceId, mailbox)
      const request = requests.get(evidenceId)
      requests.delete(evidenceId)
      return request
    },
    close({ evidenceId }) {
      mailboxes.delete(evidenceId)
    },
    settle,
    setAside(entry) {
      const last = tried.get(entry.evidenceId)
      if (!last) return
      last.entry = { ...entry, attempts: entry.attempts + 1 }
      last.isAside = true
      if (last.isBack) last.vainReturns += 1
      last.isBack = false
      if (heardAt < last.beganAt) isSilent = true
    },
    askedFor: () =>
      [...requests.keys()].flatMap((evidenceId) => {
        const last = tried.get(evidenceId)
        return last?.isAside ? [last.entry] : []
      }),
    isCityAway: () => isSilent,
    state: () => ({ settled, refusedReceipts }),
  }
}
