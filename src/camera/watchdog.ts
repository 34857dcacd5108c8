/** Fewer than this share of the frames that should have come in `stallMs` is as good as none. */
const MIN_SHARE = 0.25

/** Judges from the arrival of frames whether a camera still delivers. All times are on the host's monotonic clock. */
export class Watchdog {
  /** Milliseconds over which frames are counted. */
  readonly stallMs: number
  readonly #analysisFps: number
  #expectedFps: number
  #startedAt = 0
  #firstSeenAt: number | undefined
  #seenAt: number[] = []

  constructor(analysisFps: number, stallMs: number) {
    this.#analysisFps = analysisFps
    this.#expectedFps = analysisFps
    this.stallMs = stallMs
  }

  /** A connection begins. */
  start(nowMs: number): void {
    this.#startedAt = nowMs
    this.#firstSeenAt = undefined
    this.#seenAt = []
    this.#expectedFps = this.#analysisFps
  }

  /** The camera says that it sends so many pictures per second. */
  expect(nominalFps: number): void {
    this.#expectedFps = Math.min(this.#analysisFps, nominalFps)
  }

  /** A frame came. */
  seen(nowMs: number): void {
    this.#firstSeenAt ??= nowMs
    this.#seenAt.push(nowMs)
    while ((this.#seenAt[0] ?? nowMs) <= nowMs - this.stallMs) this.#seenAt.shift()
  }

  /** Frames per second over the last `stallMs`, or since the first frame if that is more recent. */
  fps(nowMs: number): number {
    const windowMs = Math.min(this.stallMs, nowMs - (this.#firstSeenAt ?? nowMs))
    return windowMs > 0 ? (this.#count(nowMs) * 1000) / windowMs : 0
  }

  /** True when the frames of the last `stallMs` are too few. */
  isStalled(nowMs: number): boolean {
    if (nowMs - this.#startedAt < this.stallMs) return false
    return this.#count(nowMs) < Math.max(1, (this.#expectedFps * this.stallMs * MIN_SHARE) / 1000)
  }

  /** True when the connection has held for as long as a stall would have taken to show. */
  isSteady(nowMs: number): boolean {
    return nowMs - this.#startedAt >= this.stallMs && !this.isStalled(nowMs)
  }

  #count(nowMs: number): number {
    return this.#seenAt.filter((at) => at > nowMs - this.stallMs).length
  }
}
