import { z } from 'zod'
import { startFfmpeg } from '../camera/ffmpeg.ts'
import { readMatroska } from '../camera/matroska.ts'
import { MATRICES, isMatrix, usualMatrix } from '../domain/colour.ts'
import {
  type RawFrame,
  type RawVideoFrame,
  rawFrame,
  rawVideoFrame,
  videoFrameBytes,
} from '../domain/frame.ts'
import { RoadveilError, isRoadveilError } from '../errors.ts'
import { type FilePart, askFfprobe, safeInput } from './ffprobe.ts'
import type { VideoColours } from './video-output.ts'

/** Pixels of the largest picture of a video: 4K and a little. */
export const MAX_VIDEO_PIXELS = 3840 * 2160 * 1.1
/** ffprobe decodes a frame to know what it is: of larger ones it is not told the size. */
const MAX_PROBED_PIXELS = 100e6

/** A video as it is to be seen. */
export interface VideoInput extends FilePart {
  /** Pixels, upright. */
  readonly width: number
  readonly height: number
  /** As far as the file says. */
  readonly fps: number
  /** About how many frames it has. */
  readonly frames: number
  readonly colours: VideoColours
}

/** Every so many frames of a video. */
export interface Sample {
  /** Number of the first. */
  readonly first: number
  readonly every: number
  /** Number of the last frame of the video, which belongs to it as well, where it is known. */
  readonly last?: number
}

const text = z.string().optional()
const probeSchema = z.object({
  streams: z.array(
    z.object({
      codec_type: text,
      width: z.int().optional(),
      height: z.int().optional(),
      avg_frame_rate: text,
      duration: text,
      color_space: text,
      color_primaries: text,
      color_transfer: text,
      sample_aspect_ratio: text,
      disposition: z.object({ attached_pic: z.int() }).partial().optional(),
      side_data_list: z.array(z.object({ rotation: z.number().optional() })).optional(),
    }),
  ),
  format: z.object({ format_name: text, duration: text }).optional(),
})

/**
 * Asks ffprobe what is in a file. It may open nothing but files: a playlist must not reach the network.
 *
 * @throws RoadveilError ERR_INPUT_UNREADABLE, ERR_INPUT_FORMAT, ERR_INPUT_TOO_LARGE, ERR_FFMPEG_MISSING
 */
export async function probeVideo(file: string, signal: AbortSignal): Promise<VideoInput> {
  const { streams, format } = await probe(file, signal)
  const stream = streams.find(
    ({ codec_type: type, disposition }) => type === 'video' && disposition?.attached_pic !== 1,
  )
  const { width = 0, height = 0 } = stream ?? {}
  const container = format?.format_name ?? ''
  // What ffmpeg calls its readers of single pictures.
  if (/^image2$|_pipe$/.test(container) && container !== 'jpeg_pipe')
    throw new RoadveilError('ERR_INPUT_FORMAT', `it is a picture (${container.replace(/_pipe$/, '')})`)
  if (!stream || width < 1 || height < 1)
    throw new RoadveilError('ERR_INPUT_UNREADABLE', 'there is no video in it that ffmpeg can read')
  if (width * height > MAX_VIDEO_PIXELS)
    throw new RoadveilError('ERR_INPUT_TOO_LARGE', `the video is ${width}x${height}`)
  const isTurned = (stream.side_data_list ?? []).some(({ rotation = 0 }) => Math.abs(rotation) % 180 === 90)
  const fps = ratio(stream.avg_frame_rate, '/') ?? 25
  const seconds = Number(stream.duration ?? format?.duration ?? 0)
  const aspect = ratio(stream.sample_aspect_ratio, ':') ?? 1
  return {
    ...{ file, end: Infinity },
    ...(isTurned ? { width: height, height: width } : { width, height }),
    fps,
    frames: Math.max(1, Math.round(seconds * fps) || 1),
    colours: {
      // What is not said is taken for what players take it for.
      matrix: isMatrix(stream.color_space) ? stream.color_space : usualMatrix(height),
      primaries: known(stream.color_primaries),
      transfer: known(stream.color_transfer),
      pixelAspect: isTurned ? 1 / aspect : aspect,
    },
  }
}

async function probe(file: string, signal: AbortSignal): Promise<z.infer<typeof probeSchema>> {
  const input = safeInput({ file, end: Infinity }, MAX_PROBED_PIXELS)
  const entries = [
    'stream=codec_type,width,height,avg_frame_rate,duration,color_space,color_primaries,color_transfer,sample_aspect_ratio',
    'stream_disposition=attached_pic',
    'stream_side_data=rotation',
    'format=format_name,duration',
  ]
  const answer = await askFfprobe(['-show_entries', entries.join(':'), '-of', 'json', ...input], signal)
  try {
    return probeSchema.parse(JSON.parse(answer))
  } catch (cause) {
    throw new RoadveilError('ERR_INPUT_UNREADABLE', 'it is no picture or video that can be read', { cause })
  }
}

/**
 * Decodes a video at full size, upright, in order, as fast as the consumer takes the frames. `sequence` is the number of the frame,
 * and `capturedAt` the time from the first one that is decoded, in whole milliseconds, always growing. Frames come as most videos
 * are coded, which costs nothing.
 *
 * A video that does not decode without a single error ends in an error: a damaged picture hides what is in it from whoever
 * looks for faces and plates.
 *
 * @throws RoadveilError ERR_INPUT_UNREADABLE, ERR_FFMPEG_MISSING; the signal's reason when aborted
 */
export async function* decodeVideo(
  input: VideoInput,
  signal: AbortSignal,
): AsyncGenerator<RawVideoFrame, void, undefined> {
  const { width, height, colours } = input
  const matrix = MATRICES[colours.matrix]
  // Should the video change its size on the way, later pictures take the first one's.
  const filter = `scale=${width}:${height}:in_color_matrix=${matrix}:out_color_matrix=${matrix}:out_range=tv,format=yuv420p`
  for await (const { number, capturedAt, data } of decode(input, filter, videoFrameBytes(input), signal))
    yield rawVideoFrame({
      ...{ format: 'yuv420p', matrix: colours.matrix, cameraId: 'file', sequence: number },
      ...{ capturedAt, width, height, planes: data },
    })
}

/**
 * Decodes a part of a video that was written here, in red, green and blue; the encoder may have added a column or row of black,
 * which is no part of the picture.
 *
 * @throws RoadveilError as `decodeVideo`
 */
export async function* decodeSample(
  output: VideoInput,
  { first, every, last = -1 }: Sample,
  signal: AbortSignal,
): AsyncGenerator<RawFrame, void, undefined> {
  const { width, height, colours } = output
  const filter = [
    `select='gte(n,${first})*not(mod(n-${first},${every}))+eq(n,${last})'`,
    ...[`scale=in_color_matrix=${MATRICES[colours.matrix]}`, 'format=gbrp', `crop=${width}:${height}:0:0`],
  ].join(',')
  for await (const { number, capturedAt, data } of decode(output, filter, width * height * 3, signal)) {
    const regular = first + number * every
    const sequence = last >= 0 ? Math.min(regular, last) : regular
    yield rawFrame({ cameraId: 'file', sequence, capturedAt, width, height, planes: data })
  }
}

/** A decoded picture; numbers count from 0. */
interface Decoded {
  readonly number: number
  readonly capturedAt: number
  readonly data: Uint8Array
}

async function* decode(
  input: FilePart,
  filter: string,
  frameBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Decoded, void, undefined> {
  signal.throwIfAborted()
  await using ffmpeg = startFfmpeg(decoderArguments(input, filter), '', 1)
  const [output] = ffmpeg.outputs
  if (!output) throw new RoadveilError('ERR_FFMPEG_MISSING', 'ffmpeg could not be started')
  const stop = (): void => void ffmpeg.stop()
  signal.addEventListener('abort', stop, { once: true })
  let number = 0
  let first: number | undefined
  let last = -1
  try {
    for await (const part of readMatroska(output, frameBytes)) {
      if (part.kind === 'header') continue
      first ??= part.pts
      last = Math.max(last + 1, part.pts - first)
      yield { number: number++, capturedAt: last, data: part.data }
    }
    const { exitCode, failure } = await ffmpeg.ended
    if (exitCode !== 0) throw damaged(failure)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof RangeError || isRoadveilError(error, 'ERR_CAMERA_GARBAGE')) throw damaged(error)
    if (isRoadveilError(error, 'ERR_CAMERA_ENDED')) throw damaged((await ffmpeg.ended).failure)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function decoderArguments(input: FilePart, filter: string): readonly string[] {
  return [
    // One thread keeps up with the networks, and more take more time in all.
    ...['-hide_banner', '-nostats', '-loglevel', 'info', '-nostdin', '-threads', '1', '-reinit_filter', '0'],
    ...['-xerror', '-err_detect', 'explode', ...safeInput(input, MAX_VIDEO_PIXELS)],
    // V: not the picture on the cover.
    ...['-map', '0:V:0', '-map_metadata', '-1', '-map_chapters', '-1'],
    ...['-filter:v', filter, '-fps_mode', 'passthrough', '-c:v', 'rawvideo', '-allow_raw_vfw', '1'],
    // Checksums of raw pictures would cost as much as decoding them.
    ...['-cluster_time_limit', '1', '-flush_packets', '1', '-write_crc32', '0', '-f', 'matroska', 'pipe:3'],
  ]
}

function damaged(cause: unknown): RoadveilError {
  if (isRoadveilError(cause, 'ERR_FFMPEG_MISSING')) return cause
  return new RoadveilError('ERR_INPUT_UNREADABLE', 'the video does not decode without errors', { cause })
}

function ratio(value: string | undefined, mark: string): number | undefined {
  const [above = 0, below = 0] = (value ?? '').split(mark).map(Number)
  return above > 0 && below > 0 ? above / below : undefined
}

/** A name of ffmpeg's for a colour space; anything else is as good as unknown. */
function known(name: string | undefined): string | undefined {
  return name !== undefined && /^(bt|smpte|arib|iec)[a-z0-9-]+$/.test(name) ? name : undefined
}
