import type { CameraConfig } from '../config/config.ts'
import type { AnalysisFrame, Arrival, EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError, type ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import { backoffMs, pause } from '../waiting.ts'
import { LiveTime, recordedTime } from './capture-time.ts'
import { Handover } from './handover.ts'
import { PacketRing } from './packet-ring.ts'
import { runSession } from './session.ts'
import { Watchdog } from './watchdog.ts'

export { PacketRing } from './packet-ring.ts'

/** What is kept of one camera's video in memory at most. */
const MAX_RING_BYTES = 64 * 1024 * 1024
/** Without a usable frame for so long, a camera is restarted. */
const STALL_MS = 20_000
const BACKOFF = { minMs: 1_000, maxMs: 60_000 }
/** As if it had failed so often that the next wait is the longest. */
const MANY_FAILURES = 16

/** One camera: its frames, its recent video, and how it is doing. */
export interface Camera {
  readonly id: string
  /** Compressed video of the last seconds. Filled while `frames` is read. */
  readonly ring: PacketRing
  /**
   * Connects and yields analysis frames in order of capture. A live camera is reconnected for as long as it takes; the loop
   * ends when the signal is aborted or a recording is over. Live and in real time the newest frame wins; a fast replay
   * waits for the consumer and drops nothing. One consumer at a time.
   *
   * @throws {RoadveilError} for a recording that cannot be read; a live camera's failures are in `stats()` and the log
   */
  frames(signal: AbortSignal): AsyncIterable<AnalysisFrame>
  stats(): CameraStats
}

export interface CameraStats {
  /** `waiting`: until the next attempt to connect. */
  readonly state: 'connecting' | 'live' | 'waiting' | 'ended'
  /** Frames handed to the consumer. */
  readonly frames: number
  /** Frames that a newer one replaced before the consumer came for them. */
  readonly dropped: number
  /** Connections after the first. */
  readonly restarts: number
  readonly lastErrorCode?: ErrorCode
  /** Capture time. */
  readonly lastFrameAt?: EpochMs
  /** Pixels of the camera's picture; 0 while unknown. */
  readonly sourceWidth: number
  readonly sourceHeight: number
  /** Analysis frames per second that the camera delivers at present. */
  readonly fps: number
}

export interface CameraDeps {
  /** About how many pixels an analysis frame has. */
  readonly analysisPixels: number
  readonly logger: Logger
  readonly clock?: () => Arrival
  /** Default 20 s. */
  readonly stallMs?: number
  /** Shortest and longest wait before reconnecting; default 1 s and 60 s. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number }
}

/** The host's clocks; the monotonic one counts from the machine's start. */
function hostClock(): Arrival {
  return { hostAt: Date.now(), monotonicMs: Number(process.hrtime.bigint()) / 1e6 }
}

/** Makes a camera; nothing is started before its frames are read. */
export function openCamera(config: CameraConfig, deps: CameraDeps): Camera {
  return new SupervisedCamera(config, deps)
}

class SupervisedCamera implements Camera {
  readonly id: string
  readonly ring: PacketRing
  readonly #config: CameraConfig
  readonly #deps: CameraDeps
  readonly #isRecording: boolean
  readonly #clock: () => Arrival
  readonly #watchdog: Watchdog
  /** Connections that failed since the last steady one. */
  #failures = 0
  #sequence = 0
  #stats: Omit<CameraStats, 'fps'> = {
    state: 'connecting',
    frames: 0,
    dropped: 0,
    restarts: 0,
    sourceWidth: 0,
    sourceHeight: 0,
  }

  constructor(config: CameraConfig, deps: CameraDeps) {
    this.id = config.id
    this.ring = new PacketRing({ preRollMs: config.preRollMs, maxBytes: MAX_RING_BYTES })
    this.#config = config
    this.#deps = deps
    this.#isRecording = config.url.startsWith('file:')
    this.#clock = deps.clock ?? hostClock
    this.#watchdog = new Watchdog(config.analysisFps, deps.stallMs ?? STALL_MS)
  }

  stats(): CameraStats {
    return { ...this.#stats, fps: this.#watchdog.fps(this.#clock().monotonicMs) }
  }

  async *frames(signal: AbortSignal): AsyncGenerator<AnalysisFrame, void, undefined> {
    const handover = new Handover<AnalysisFrame>()
    const left = new AbortController()
    const until = AbortSignal.any([signal, left.signal])
    const supervising = this.#supervise(handover, until).then(
      () => handover.end(),
      (error: unknown) => handover.end(error),
    )
    try {
      for await (const frame of handover) {
        this.#update({ frames: this.#stats.frames + 1, lastFrameAt: frame.capturedAt })
        yield frame
      }
    } finally {
      left.abort()
      handover.end()
      await supervising
      this.#update({ state: 'ended' })
    }
  }

  /** Connects again and again; returns when the signal is aborted or a recording is over. */
  async #supervise(handover: Handover<AnalysisFrame>, signal: AbortSignal): Promise<void> {
    const release = (): void => handover.end()
    const isOver = (): boolean => signal.aborted
    signal.addEventListener('abort', release, { once: true })
    try {
      while (!isOver()) {
        this.#update({ state: 'connecting' })
        try {
          await this.#watch(handover, signal)
          return
        } catch (error) {
          if (isOver()) return
          this.#update({ ...(isRoadveilError(error) && { lastErrorCode: error.code }) })
          if (this.#isRecording || !isRoadveilError(error)) throw error
          await this.#wait(error, signal)
        }
        this.#update({ restarts: this.#stats.restarts + 1 })
      }
    } finally {
      signal.removeEventListener('abort', release)
    }
  }

  /** One connection, ended when the camera stalls or drips. */
  async #watch(handover: Handover<AnalysisFrame>, signal: AbortSignal): Promise<void> {
    const watchdog = this.#watchdog
    watchdog.start(this.#clock().monotonicMs)
    const stalled = new AbortController()
    const timer = setInterval(() => {
      if (!this.#isRecording && watchdog.isStalled(this.#clock().monotonicMs)) stalled.abort()
    }, watchdog.stallMs / 10)
    try {
      await this.#connect(handover, AbortSignal.any([signal, stalled.signal]))
    } finally {
      clearInterval(timer)
    }
    if (stalled.signal.aborted && !signal.aborted) {
      throw new RoadveilError('ERR_CAMERA_STALLED', `too few frames in ${watchdog.stallMs} ms`)
    }
  }

  async #connect(handover: Handover<AnalysisFrame>, signal: AbortSignal): Promise<void> {
    const config = this.#config
    const time = this.#isRecording
      ? recordedTime(config.replayStartsAt ?? this.#clock().hostAt)
      : new LiveTime()
    await runSession(
      config,
      {
        analysisPixels: this.#deps.analysisPixels,
        ring: this.ring,
        time,
        now: this.#clock,
        onSource: (source) => {
          this.#update({ sourceWidth: source.width, sourceHeight: source.height })
          if (source.nominalFps !== undefined) this.#watchdog.expect(source.nominalFps)
        },
        onDecoded: () => this.#watchdog.seen(this.#clock().monotonicMs),
        nextSequence: () => this.#sequence++,
        onFrame: async (frame) => {
          this.#markLive()
          if (this.#isRecording && config.replay === 'fast') await handover.put(frame)
          else if (!handover.offer(frame)) this.#update({ dropped: this.#stats.dropped + 1 })
        },
      },
      signal,
    )
  }

  #markLive(): void {
    if (this.#watchdog.isSteady(this.#clock().monotonicMs)) this.#failures = 0
    if (this.#stats.state === 'live') return
    this.#update({ state: 'live' })
    const { sourceWidth: width, sourceHeight: height } = this.#stats
    this.#deps.logger.info('camera is live', { camera: this.id, width, height })
  }

  async #wait(error: RoadveilError, signal: AbortSignal): Promise<void> {
    // A camera locks the account of who keeps trying.
    if (error.code === 'ERR_CAMERA_UNAUTHORIZED') this.#failures = MANY_FAILURES
    this.#failures += 1
    const { minMs, maxMs } = this.#deps.backoff ?? BACKOFF
    const delayMs = Math.max(minMs, backoffMs(this.#failures, minMs, maxMs))
    this.#update({ state: 'waiting' })
    this.#deps.logger.warn('camera is lost and will be reconnected', { camera: this.id, error, delayMs })
    await pause(delayMs, signal)
  }

  #update(change: Partial<Omit<CameraStats, 'fps'>>): void {
    this.#stats = { ...this.#stats, ...change }
  }
}
