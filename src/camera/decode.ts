import { type Matrix, matrixOf, usualMatrix } from '../domain/colour.ts'
import {
  type EpochMs,
  type RawFrame,
  type RawVideoFrame,
  rawFrame,
  rawVideoFrame,
  videoFrameBytes,
} from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { startFfmpeg } from './ffmpeg.ts'
import { readMatroska } from './matroska.ts'
import type { PacketClip } from './packet-ring.ts'
import { intervalAt, selectFps } from './picture-rate.ts'

/** Pixels of the largest picture that is decoded at full size: 4K and a little. */
const MAX_PIXELS = 3840 * 2160 * 1.1
/** How long the decoder may take for one frame, milliseconds. */
const FRAME_TIMEOUT_MS = 15_000

export interface DecodeOptions {
  /** Frames per second at most. */
  readonly fps: number
  /** Capture times of the first and the last frame wanted. */
  readonly from: EpochMs
  readonly to: EpochMs
  readonly cameraId: string
}

/**
 * Decodes a clip at full size, in order, as fast as the consumer takes the frames; no more than three are in memory.
 * `sequence` numbers the intervals of 1/fps seconds from `from` on, so that a missing frame leaves a gap.
 *
 * A clip that does not decode without a single error ends in an error: a damaged picture hides what is in it from whoever
 * looks for faces and plates. Leaving the loop, or aborting the signal, ends the decoder.
 *
 * @throws {RoadveilError} ERR_FRAME_TOO_LARGE, ERR_DECODE_FAILED, ERR_FFMPEG_MISSING; the signal's reason when aborted
 */
export async function* decodeFrames(
  clip: PacketClip,
  options: DecodeOptions,
  signal: AbortSignal,
): AsyncGenerator<RawFrame, void, undefined> {
  const { width, height } = clip
  const output = { format: 'gbrp', frameBytes: width * height * 3, scaling: '' }
  for await (const frame of decode(clip, options, output, signal)) yield rawFrame(frame)
}

/**
 * The same frames as they are coded, which is half as much to be carried about, and nothing to be converted. Of a camera that uses
 * the full range of values they are brought into the limited one.
 *
 * @throws {RoadveilError} as `decodeFrames`
 */
export async function* decodeVideoFrames(
  clip: PacketClip,
  options: DecodeOptions,
  signal: AbortSignal,
): AsyncGenerator<RawVideoFrame, void, undefined> {
  const output = { format: 'yuv420p', frameBytes: videoFrameBytes(clip), scaling: ':out_range=tv' } as const
  for await (const frame of decode(clip, options, output, signal))
    yield rawVideoFrame({ format: output.format, ...frame })
}

/** What the decoder gives. */
interface Output {
  /** As ffmpeg calls it. */
  readonly format: string
  readonly frameBytes: number
  /** More arguments of the scaler. */
  readonly scaling: string
}

/** A frame before it is branded. */
interface Decoded {
  readonly cameraId: string
  readonly sequence: number
  readonly capturedAt: EpochMs
  readonly width: number
  readonly height: number
  readonly matrix: Matrix
  readonly planes: Uint8Array
}

async function* decode(
  clip: PacketClip,
  options: DecodeOptions,
  output: Output,
  signal: AbortSignal,
): AsyncGenerator<Decoded, void, undefined> {
  signal.throwIfAborted()
  const { width, height } = clip
  if (width * height > MAX_PIXELS) {
    throw new RoadveilError('ERR_FRAME_TOO_LARGE', `the camera's picture is ${width}x${height}`)
  }
  await using ffmpeg = startFfmpeg(decoderArguments(clip, options, output), clip.bytes, 1)
  const [pipe] = ffmpeg.outputs
  if (!pipe) throw new RoadveilError('ERR_FFMPEG_MISSING', 'ffmpeg could not be started')
  const stop = (): void => void ffmpeg.stop()
  signal.addEventListener('abort', stop, { once: true })
  const originSeconds = (options.from - clip.anchor) / 1000
  const frames = readMatroska(pipe, output.frameBytes)
  let matrix = usualMatrix(height)
  try {
    for (;;) {
      const next = await withTimeout(frames.next())
      if (next.done === true) break
      if (next.value.kind === 'header') {
        matrix = matrixOf(next.value.matrixNumber) ?? matrix
        continue
      }
      yield {
        cameraId: options.cameraId,
        sequence: intervalAt(next.value.pts / 1000, options.fps, originSeconds),
        capturedAt: clip.anchor + next.value.pts,
        ...{ width, height, matrix },
        planes: next.value.data,
      }
    }
    const { exitCode, failure } = await ffmpeg.ended
    if (exitCode !== 0) throw failed(failure)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof RoadveilError && error.code === 'ERR_CAMERA_ENDED') {
      throw failed((await ffmpeg.ended).failure)
    }
    throw error instanceof RangeError ? failed(error) : error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function decoderArguments(
  clip: PacketClip,
  options: DecodeOptions,
  { format, scaling }: Output,
): readonly string[] {
  const from = (options.from - clip.anchor) / 1000
  const to = (options.to - clip.anchor) / 1000
  // Half a millisecond, since times in the clip are whole ones.
  const inSpan = `select='between(t,${from - 0.0005},${to + 0.0005})'`
  // A camera that changed its picture in mid-clip: later pictures take the first one's size.
  const size = `scale=${clip.width}:${clip.height}${scaling}`
  return [
    ...['-hide_banner', '-nostats', '-loglevel', 'info', '-threads', '2', '-reinit_filter', '0'],
    ...['-xerror', '-err_detect', 'explode', '-copyts'],
    ...['-f', 'matroska', '-i', 'pipe:0', '-map', '0:v:0'],
    ...[
      '-filter:v',
      `${inSpan},${selectFps(options.fps, from)},${size},format=${format}`,
      '-fps_mode',
      'passthrough',
    ],
    ...['-c:v', 'rawvideo', '-allow_raw_vfw', '1', '-avoid_negative_ts', 'disabled'],
    // Checksums of raw pictures would cost as much as decoding them.
    ...['-cluster_time_limit', '1', '-flush_packets', '1', '-write_crc32', '0', '-f', 'matroska', 'pipe:3'],
  ]
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(failed(undefined)), FRAME_TIMEOUT_MS)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

function failed(cause: unknown): RoadveilError {
  return new RoadveilError('ERR_DECODE_FAILED', 'the recorded video could not be decoded without errors', {
    cause,
  })
}
