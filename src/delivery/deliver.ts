import type { Receipt } from '../domain/receipt.ts'
import { RoadveilError } from '../errors.ts'
import type { BrokerConnection } from '../protocol/connection.ts'
import { MAX_CHUNK_BYTES, MESSAGE_EXPIRY_SECONDS } from '../protocol/limits.ts'
import { chunkTopic, manifestTopic, type Station } from '../protocol/topics.ts'
import type { Outbox, OutboxEntry } from '../store/outbox.ts'
import type { Wire } from './blame.ts'
import type { Place } from './line.ts'
import type { Mailbox } from './mailbox.ts'
import type { DeliveryTiming } from './timing.ts'

/** Chunks in memory at once; the connection has as many on their way. */
const SENDERS = 4
/** Times the city may ask for chunks in one try. */
const MAX_REQUESTS = 5

/**
 * Tries once to bring one evidence to the city: announces it with its manifest, sends the chunks that the city asks for,
 * and returns the receipt that says that it has it.
 *
 * The city's answer is the only truth about where to go on, after a break as well as the first time: a box that was
 * killed has nothing to remember, and no chunk is ever sent to a city that is not listening.
 *
 * @param request an answer of the city that came outside of a try; without it the evidence is announced first.
 * @throws RoadveilError ERR_RECEIPT_MISSING, ERR_EVIDENCE_REJECTED, ERR_DELIVERY_STALLED, or what `publish` throws.
 */
export async function deliverEvidence(
  entry: OutboxEntry,
  deps: {
    readonly connection: BrokerConnection
    readonly outbox: Outbox
    readonly station: Station
    readonly mailbox: Mailbox
    readonly place: Place
    readonly wire: Wire
    readonly timing: DeliveryTiming
    readonly signal: AbortSignal
    /** Called when the city is about to have all of it before something that was stored earlier. */
    readonly passes: () => void
  },
  request?: Receipt,
): Promise<Receipt> {
  const { mailbox, place, timing, signal } = deps
  if (!request) await announce(entry, deps)
  let receipt = request ?? (await mailbox.take(timing.answerMs, signal))
  for (let requests = 1; receipt?.status === 'incomplete'; requests++) {
    place.progressed()
    if (requests > MAX_REQUESTS) {
      throw new RoadveilError('ERR_DELIVERY_STALLED', `the city asked ${MAX_REQUESTS} times for chunks`)
    }
    await sendChunks(entry, receipt.missing ?? [], deps)
    // What it asked for meanwhile may have arrived by now; if not, it asks again.
    mailbox.dropRequest()
    receipt = await mailbox.take(timing.confirmMs, signal)
  }
  if (!receipt) throw new RoadveilError('ERR_RECEIPT_MISSING', 'the city did not answer in time')
  if (receipt.status === 'rejected') {
    throw new RoadveilError('ERR_EVIDENCE_REJECTED', `the city says ${receipt.reason ?? 'no reason'}`)
  }
  return receipt
}

interface Way {
  readonly wire: Wire
  readonly connection: BrokerConnection
  readonly outbox: Outbox
  readonly station: Station
  readonly place: Place
  readonly signal: AbortSignal
  readonly passes: () => void
}

async function announce(entry: OutboxEntry, way: Way): Promise<void> {
  const { evidenceId, ciphertextBytes, chunkCount } = entry
  const { connection, outbox, station } = way
  // The city should not wait for what can never come.
  const lastChunk = chunkTopic(station, evidenceId, chunkCount - 1)
  connection.checkSize(lastChunk, Math.min(ciphertextBytes, MAX_CHUNK_BYTES))
  await send('manifest', manifestTopic(station, evidenceId), Buffer.from(outbox.manifest(evidenceId)), way)
}

async function send(
  message: 'manifest' | 'chunk',
  topic: string,
  payload: Buffer,
  { connection, wire }: Way,
): Promise<void> {
  wire.sent()
  await connection.publish(topic, payload, { expirySeconds: MESSAGE_EXPIRY_SECONDS })
  wire.acknowledged(message)
}

/** Sends the chunks, the last one when the evidence has its turn: the city stores what it has all of. */
async function sendChunks(
  { evidenceId, chunkCount }: OutboxEntry,
  missing: readonly number[],
  way: Way,
): Promise<void> {
  const { outbox, station, place, signal } = way
  const sendChunk = async (index: number): Promise<void> => {
    signal.throwIfAborted()
    const chunk = Buffer.from(outbox.chunk(evidenceId, index))
    await send('chunk', chunkTopic(station, evidenceId, index), chunk, way)
    place.progressed()
  }
  const indexes = missing.filter((index) => index < chunkCount)
  const last = indexes.pop()
  // All senders draw from one iterator, so a chunk is read from the store only when its turn has come.
  const others = indexes.values()
  const sendOthers = async (): Promise<void> => {
    for (const index of others) await sendChunk(index)
  }
  await Promise.all(Array.from({ length: SENDERS }, sendOthers))
  if (await place.turn(signal)) way.passes()
  if (last !== undefined) await sendChunk(last)
}
