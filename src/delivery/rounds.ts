import { setImmediate } from 'node:timers/promises'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { BrokerConnection, IncomingMessage } from '../protocol/connection.ts'
import type { Station } from '../protocol/topics.ts'
import type { Outbox, OutboxEntry } from '../store/outbox.ts'
import { backoffMs, untilAborted } from '../waiting.ts'
import { createBlame, type Wire } from './blame.ts'
import { deliverEvidence } from './deliver.ts'
import { createInbox } from './inbox.ts'
import { ASIDE, createLine, type Place } from './line.ts'
import { createMailbox } from './mailbox.ts'
import type { VerifyReceipt } from './receipts.ts'
import type { DeliveryTiming } from './timing.ts'

/** Evidence under way in the order of storing: each waits for those before it, but with all of it but the last part sent. */
const LANES = 4
/** Evidence that was set aside and is tried again beside the others, which it must not keep from their lanes. */
const SIDE_LANES = 2
/** Tries that the city may leave unanswered before the evidence is set aside. */
const MAX_SILENT_TRIES = 3
/** Connections that may break while only this evidence is on its way and gets nowhere, before it is believed to be why. */
const MAX_BREAKS = 3
/** For this share of what others wait for one that gets nowhere, a suspect of a break goes alone. */
const ALONE_SHARE = 0.1

/** What the broker ends the connection for, and with it everything that is under way. */
const COSTLY: readonly string[] = ['ERR_BROKER_HANGS_UP', 'ERR_PUBLISH_TIMEOUT']

/** Rounds through the outbox: what is due is delivered, what fails is set aside for a while, what the city confirms is settled. */
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
  const line = createLine(timing.patienceMs)
  let lastErrorCode: string | undefined
  let alarm = Promise.withResolvers<undefined>()
  let recall = new AbortController()
  const aloneMs = ALONE_SHARE * timing.patienceMs
  const blame = createBlame(aloneMs)
  /** Evidence that cost a connection at its last try, and when one that had been set aside did: the others must get somewhere first. */
  const costly = new Set<string>()
  let costAt = -Infinity
  const wake = (): void => {
    alarm.resolve(undefined)
  }
  const inbox = createInbox({
    ...deps,
    wake,
    refused: (code) => (lastErrorCode = code),
    // All but the oldest have to let those before them pass again.
    cityIsBack() {
      recall.abort()
      recall = new AbortController()
    },
  })

  /** Notes a failure of the evidence itself. True when it keeps its place, to be tried again at once. */
  const note = (entry: OutboxEntry, place: Place, error: RoadveilError): boolean => {
    const { evidenceId } = entry
    const attempt = entry.attempts + 1
    const at = now()
    const isSilence = error.code === 'ERR_RECEIPT_MISSING'
    const isCostly = COSTLY.includes(error.code)
    if (isCostly) costly.add(evidenceId)
    else costly.delete(evidenceId)
    blame.clear(evidenceId)
    if (isSilence && place !== ASIDE && attempt < MAX_SILENT_TRIES && !line.isStuck()) {
      outbox.recordAttempt(evidenceId, { at, nextAt: at, errorCode: error.code })
      logger.warn('evidence was not delivered', { evidenceId, error, attempt })
      return true
    }
    const { firstMs, mostMs } = timing.retry
    const isRejected = error.code === 'ERR_EVIDENCE_REJECTED'
    const delayMs = isRejected ? timing.rejectedMs : backoffMs(attempt, firstMs, mostMs)
    outbox.recordAttempt(evidenceId, { at, nextAt: at + delayMs, errorCode: error.code })
    inbox.setAside(entry)
    if (place === ASIDE && isCostly) costAt = performance.now()
    logger.warn('evidence was set aside', { evidenceId, error, attempt, delayMs })
    return false
  }

  /** The connection broke: usually nothing that the evidence did, unless it happens again and again. */
  const noteBreak = (entry: OutboxEntry, place: Place, wire: Wire): void => {
    // Of what was set aside one is enough, but while the city is away it holds nothing up, and was most likely set aside for that.
    const most = place === ASIDE && !inbox.isCityAway() ? 1 : MAX_BREAKS
    if (!blame.judge(entry.evidenceId, wire, most)) return
    note(entry, place, new RoadveilError('ERR_BROKER_HANGS_UP', 'the broker hangs up on this evidence'))
  }

  /** True when the same is to be tried again. */
  const tryOnce = async (
    entry: OutboxEntry,
    place: Place,
    connection: BrokerConnection,
    signal: AbortSignal,
  ): Promise<boolean> => {
    const mailbox = createMailbox()
    const request = inbox.open(entry, mailbox)
    const wire = blame.open()
    try {
      const { evidenceId } = entry
      const passes = (): void => logger.info('evidence passes another that gets nowhere', { evidenceId })
      const way = { connection, outbox, station, mailbox, place, wire, timing, signal, passes }
      const receipt = await deliverEvidence(entry, way, request)
      // The city has it: what is behind it goes on its way before the store is written, which holds up everything meanwhile.
      place.leave('settled')
      await setImmediate()
      inbox.settle(receipt)
      blame.close(wire)
      blame.clear(entry.evidenceId)
      costly.delete(entry.evidenceId)
      lastErrorCode = undefined
      return false
    } catch (error) {
      if (!isRoadveilError(error)) {
        if (signal.aborted) return false
        throw error
      }
      lastErrorCode = error.code
      if (error.code === 'ERR_BROKER_LOST') {
        noteBreak(entry, place, wire)
        await untilAborted(signal)
        return false
      }
      if (COSTLY.includes(error.code)) blame.acquitOthers()
      else blame.close(wire)
      return error.code !== 'ERR_EVIDENCE_UNKNOWN' && note(entry, place, error)
    } finally {
      inbox.close(entry)
    }
  }

  const deliver = async (
    entry: OutboxEntry,
    place: Place,
    connection: BrokerConnection,
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      let { attempts } = entry
      while (await tryOnce({ ...entry, attempts }, place, connection, signal)) attempts += 1
    } finally {
      place.leave('unsettled')
    }
  }

  return {
    async run(connection, signal) {
      const failure = new AbortController()
      const either = AbortSignal.any([signal, failure.signal])
      signal.addEventListener('abort', wake)
      const lanes = new Map<string, Promise<void>>()
      const sideLanes = new Map<string, Promise<void>>()
      let lookAsideAt = 0
      let aloneUntil = 0
      blame.begin()

      const start = (entry: OutboxEntry, place: Place, into: Map<string, Promise<void>>): void => {
        const { evidenceId } = entry
        const work = deliver(entry, place, connection, AbortSignal.any([either, recall.signal]))
          .catch((error: unknown) => {
            // Stopping is no failure of the evidence; anything else here is the outbox failing.
            if (!either.aborted) failure.abort(error)
          })
          .finally(() => {
            into.delete(evidenceId)
            if (into === sideLanes) lookAsideAt = 0
            wake()
          })
        into.set(evidenceId, work)
      }
      const isIdle = ({ evidenceId }: OutboxEntry): boolean =>
        !lanes.has(evidenceId) && !sideLanes.has(evidenceId)

      /** Fills the lanes with what is next in order, or with one that goes alone for a while. True where nothing may go beside it. */
      const fillLanes = (): boolean => {
        if (lanes.size > 0 && performance.now() < aloneUntil) return true
        if (lanes.size === LANES) return false
        const next = outbox.inOrder(LANES + SIDE_LANES).filter(isIdle)
        // What is in front of a suspect goes alone, too: the order stays.
        const goesAlone = next.some(({ evidenceId }) => blame.isSuspect(evidenceId))
        for (const entry of next.slice(0, goesAlone ? 1 : LANES - lanes.size)) {
          if (goesAlone) aloneUntil = performance.now() + aloneMs
          start(entry, line.join(entry.sequence), lanes)
        }
        return goesAlone
      }
      const fill = (): void => {
        if (fillLanes() || sideLanes.size === SIDE_LANES) return
        // Looking for it goes through the whole outbox.
        const isTime = performance.now() >= lookAsideAt
        if (isTime) lookAsideAt = performance.now() + timing.pollMs
        const mayCost = performance.now() >= costAt + timing.patienceMs
        const due = isTime ? outbox.setAside(now(), 2 * SIDE_LANES, mayCost ? [] : COSTLY) : []
        const asked = inbox.askedFor().filter(({ evidenceId }) => mayCost || !costly.has(evidenceId))
        const side = new Map([...asked, ...due].map((entry) => [entry.evidenceId, entry]))
        const next = [...side.values()].filter(isIdle).slice(0, SIDE_LANES - sideLanes.size)
        for (const entry of next) start(entry, ASIDE, sideLanes)
      }

      try {
        while (!either.aborted) {
          alarm = Promise.withResolvers()
          fill()
          const timer = setTimeout(wake, timing.pollMs)
          await alarm.promise
          clearTimeout(timer)
        }
      } finally {
        failure.abort()
        signal.removeEventListener('abort', wake)
        await Promise.all([...lanes.values(), ...sideLanes.values()])
      }
      if (!signal.aborted) failure.signal.throwIfAborted()
    },
    receive: (message) => inbox.receive(message),
    wake,
    state: () => ({ lastErrorCode, ...inbox.state() }),
  }
}
