import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import type { MatroskaHeader } from './matroska.ts'
import { writeMatroska } from './matroska-writer.ts'

/** One compressed picture. */
export interface Packet {
  /** Milliseconds on the stream's own time line. */
  readonly pts: number
  readonly key: boolean
  readonly data: Uint8Array
}

/** Compressed video of one time span, ready to be decoded. Holds raw pixels in all but name: it stays in memory. */
export interface PacketClip {
  /** A complete Matroska file that begins with the key frame at or before the span. */
  readonly bytes: Uint8Array
  /** `capturedAt = anchor + pts` for the times in `bytes`. */
  readonly anchor: EpochMs
  /** Pixels of the pictures in `bytes`. */
  readonly width: number
  /** Pixels of the pictures in `bytes`. */
  readonly height: number
}

/** A span of capture time, both ends included. */
export interface CaptureSpan {
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
}

/** A key frame and what follows it up to the next. */
interface Segment {
  readonly header: MatroskaHeader
  readonly anchor: EpochMs
  /** Consecutive numbers without a gap mean continuous video, unless header or anchor differ. */
  readonly number: number
  readonly startMs: EpochMs
  endMs: EpochMs
  bytes: number
  readonly packets: Packet[]
}

interface Waiter {
  readonly toMs: EpochMs
  readonly resolve: () => void
}

/**
 * The compressed video of one camera's last seconds, in memory, cut at key frames.
 *
 * It keeps what the pre-roll covers and what is held, within `maxBytes`: beyond that the oldest that is not held goes
 * first, then the oldest that is.
 */
export class PacketRing {
  readonly #preRollMs: number
  readonly #maxBytes: number
  #segments: Segment[] = []
  #bytes = 0
  #header: MatroskaHeader | undefined
  #current: Segment | undefined
  #nextNumber = 0
  /** Up to here every picture is in: those that come later in decoding order are later in time too. */
  #completeMs = -Infinity
  #latestMs = -Infinity
  readonly #holds = new Set<CaptureSpan>()
  readonly #waiters = new Set<Waiter>()

  constructor(options: { readonly preRollMs: number; readonly maxBytes: number }) {
    this.#preRollMs = options.preRollMs
    this.#maxBytes = options.maxBytes
  }

  /** Bytes of video in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** A new stream begins: nothing of it continues what is in the ring. */
  begin(header: MatroskaHeader): void {
    this.end()
    this.#header = header
    this.#completeMs = -Infinity
    this.#latestMs = -Infinity
  }

  /** The stream is over: what came is all there is. */
  end(): void {
    this.#completeMs = this.#latestMs
    this.#header = undefined
    this.#current = undefined
    this.#nextNumber++
    this.#release()
  }

  /** Adds a packet in decoding order. `anchor` may change at key frames only. */
  add(packet: Packet, anchor: EpochMs): void {
    const header = this.#header
    if (!header) throw new TypeError('no stream has begun')
    const at = anchor + packet.pts
    if (packet.key) {
      // After a step of the clock nothing more comes on the old time line, and the new one may lie an hour before it.
      if (this.#current && this.#current.anchor !== anchor) {
        this.#completeMs = -Infinity
        this.#latestMs = -Infinity
        this.#release()
      }
      this.#current = {
        header,
        anchor,
        number: this.#nextNumber++,
        startMs: at,
        endMs: at,
        bytes: 0,
        packets: [],
      }
      this.#segments.push(this.#current)
    }
    const segment = this.#current
    if (!segment) return
    segment.packets.push(packet)
    segment.endMs = Math.max(segment.endMs, at)
    segment.bytes += packet.data.length
    this.#bytes += packet.data.length
    if (at > this.#latestMs) {
      this.#completeMs = this.#latestMs
      this.#latestMs = at
      for (const waiter of this.#waiters) if (waiter.toMs <= this.#completeMs) waiter.resolve()
    }
    if (packet.key || this.#bytes > this.#maxBytes) this.#evict(at)
  }

  /** Keeps the video of this span, past and future, until the hold is disposed. `toMs` may be Infinity. */
  hold(fromMs: EpochMs, toMs: EpochMs): Disposable {
    const span = { fromMs, toMs }
    this.#holds.add(span)
    return {
      [Symbol.dispose]: () => {
        this.#holds.delete(span)
        this.#evict(this.#latestMs)
      },
    }
  }

  /** The continuous video from the key frame at or before a moment on, or undefined if the moment is not in the ring. */
  spanAt(atMs: EpochMs): CaptureSpan | undefined {
    const run = this.#runFrom(atMs)
    const first = run[0]
    const last = run.at(-1)
    if (!first || !last) return undefined
    const toMs = last === this.#current ? Math.min(last.endMs, this.#completeMs) : last.endMs
    return toMs < atMs ? undefined : { fromMs: first.startMs, toMs }
  }

  /**
   * The video of a span, from the key frame at or before it.
   *
   * @throws {RoadveilError} ERR_PACKETS_GONE when a part of it is not in the ring, or the camera was reconnected in it
   */
  clip(fromMs: EpochMs, toMs: EpochMs): PacketClip {
    const covered = this.spanAt(fromMs)
    const run = this.#runFrom(fromMs).filter((segment) => segment.startMs <= toMs)
    const first = run[0]
    const key = first?.packets[0]
    if (!first || !key || !covered || covered.toMs < toMs) {
      throw new RoadveilError('ERR_PACKETS_GONE', 'the video of the time asked for is not complete in memory')
    }
    const packets = run.flatMap((segment) => segment.packets)
    const last = packets.findLastIndex((packet) => first.anchor + packet.pts <= toMs)
    const wanted = packets
      .slice(0, Math.max(last, 0) + 1)
      // Pictures before the key frame in time need the ones before it to be decoded.
      .filter((packet) => packet.pts >= key.pts)
    return {
      bytes: writeMatroska(
        first.header.bytes,
        wanted.map((packet) => ({ ...packet, pts: packet.pts - key.pts })),
      ),
      anchor: first.anchor + key.pts,
      width: first.header.width,
      height: first.header.height,
    }
  }

  /**
   * Resolves when all packets up to a capture time are in, or no more will come because the stream ended.
   * Rejects with the signal's reason when it is aborted.
   */
  async waitFor(toMs: EpochMs, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#header || this.#completeMs >= toMs) return
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const waiter: Waiter = { toMs, resolve: () => resolve(undefined) }
    const abort = (): void => reject(signal.reason as Error)
    this.#waiters.add(waiter)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      this.#waiters.delete(waiter)
      signal.removeEventListener('abort', abort)
    }
  }

  /** Lets everybody go on who waits: what came is all there is. */
  #release(): void {
    for (const waiter of this.#waiters) waiter.resolve()
  }

  /** The segment that shows a moment and those that continue it without a gap. */
  #runFrom(atMs: EpochMs): Segment[] {
    // The newest first: after a step of the clock, two streams may claim the same time.
    const start = this.#segments.findLastIndex((segment, i) => {
      const next = this.#segments[i + 1]
      const until = next && continues(segment, next) ? next.startMs : segment.endMs + 1
      return segment.startMs <= atMs && atMs < until
    })
    if (start < 0) return []
    let end = start + 1
    for (; end < this.#segments.length; end++) {
      const [before, after] = [this.#segments[end - 1], this.#segments[end]]
      if (!before || !after || !continues(before, after)) break
    }
    return this.#segments.slice(start, end)
  }

  #evict(nowMs: EpochMs): void {
    const held = new Set(this.#segments.filter((segment, i) => this.#isHeld(segment, this.#endAt(i))))
    const isNeeded = (segment: Segment, i: number): boolean =>
      segment === this.#current ||
      held.has(segment) ||
      // The second half: left over from before the clock was set back.
      (this.#endAt(i) >= nowMs - this.#preRollMs && segment.startMs <= nowMs + this.#preRollMs)
    this.#segments = this.#segments.filter(isNeeded)
    this.#bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)

    while (this.#bytes > this.#maxBytes) {
      const old = this.#segments.filter((segment) => segment !== this.#current)
      const victim = old.find((segment) => !held.has(segment)) ?? old[0] ?? this.#current
      if (!victim) return
      this.#segments = this.#segments.filter((segment) => segment !== victim)
      this.#bytes -= victim.bytes
      // Without its key frame the rest of this group is of no use.
      if (victim === this.#current) this.#current = undefined
    }
  }

  #isHeld(segment: Segment, endMs: EpochMs): boolean {
    for (const hold of this.#holds) {
      if (hold.fromMs <= endMs && segment.startMs <= hold.toMs) return true
    }
    return false
  }

  /** Where a segment's video ends: at the next one if that continues it. */
  #endAt(index: number): EpochMs {
    const segment = this.#segments[index]
    const next = this.#segments[index + 1]
    if (!segment) return -Infinity
    return next && continues(segment, next) ? next.startMs : segment.endMs
  }
}

function continues(before: Segment, after: Segment): boolean {
  return (
    after.number === before.number + 1 && after.anchor === before.anchor && after.header === before.header
  )
}
