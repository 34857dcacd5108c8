import type { EpochMs } from '../domain/frame.ts'

/** How long after the first packet the anchor is settled, milliseconds: what a camera sends first comes in a burst. */
const SETTLING_MS = 1_500
/** How often the anchor is compared with the clock, milliseconds. */
const WINDOW_MS = 10_000
/** Drift between camera and host that is tolerated, milliseconds. */
const MAX_DRIFT_MS = 1_000

/** Turns the times inside a stream into capture times: `capturedAt = anchor + pts`. */
export interface CaptureTime {
  /** Tells of a packet's arrival. `hostAt`: host's UTC clock; `monotonicMs`: its monotonic clock. */
  observe(packet: { readonly pts: number; readonly key: boolean }, hostAt: EpochMs, monotonicMs: number): void
  /** The anchor that holds for this time in the stream; undefined while it is not settled. */
  anchorFor(pts: number): EpochMs | undefined
}

/** A recording's: its first frame was captured at `startsAt`. */
export function recordedTime(startsAt: EpochMs): CaptureTime {
  return { observe: () => undefined, anchorFor: () => startsAt }
}

/**
 * A live stream's: the packet that took the shortest way from the camera sets the anchor, once, and it stays until camera
 * and host have drifted apart by more than a second; then it moves at the next key frame, so that no group of pictures
 * has two time lines.
 */
export class LiveTime implements CaptureTime {
  #current: { readonly fromPts: number; readonly anchor: EpochMs } | undefined
  #previousAnchor: EpochMs | undefined
  #pending: EpochMs | undefined
  #windowStart: number | undefined
  #earliest = Infinity

  observe(
    packet: { readonly pts: number; readonly key: boolean },
    hostAt: EpochMs,
    monotonicMs: number,
  ): void {
    if (packet.key && this.#current && this.#pending !== undefined) {
      this.#previousAnchor = this.#current.anchor
      this.#current = { fromPts: packet.pts, anchor: this.#pending }
      this.#pending = undefined
    }
    this.#windowStart ??= monotonicMs
    this.#earliest = Math.min(this.#earliest, hostAt - packet.pts)
    const windowMs = this.#current ? WINDOW_MS : SETTLING_MS
    if (monotonicMs - this.#windowStart < windowMs) return
    if (!this.#current) this.#current = { fromPts: -Infinity, anchor: this.#earliest }
    const drifted = Math.abs(this.#earliest - this.#current.anchor) > MAX_DRIFT_MS
    this.#pending = drifted ? this.#earliest : undefined
    this.#windowStart = monotonicMs
    this.#earliest = Infinity
  }

  anchorFor(pts: number): EpochMs | undefined {
    if (!this.#current) return undefined
    return pts < this.#current.fromPts ? (this.#previousAnchor ?? this.#current.anchor) : this.#current.anchor
  }
}
