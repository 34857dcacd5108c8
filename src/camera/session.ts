import type { CameraConfig } from '../config/config.ts'
import { rawFrame, type AnalysisFrame, type Arrival } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import type { CaptureTime } from './capture-time.ts'
import { startFfmpeg, type Ffmpeg } from './ffmpeg.ts'
import { cameraInput } from './input.ts'
import { readMatroska, type MatroskaHeader } from './matroska.ts'
import type { Packet, PacketRing } from './packet-ring.ts'
import { analysisFilter, analysisSize } from './picture-size.ts'

/** A single compressed picture larger than this is not one. */
const MAX_PACKET_BYTES = 8 * 1024 * 1024
/** Arrivals that are remembered until their decoded frame comes. */
const MAX_ARRIVALS = 512
/** The time that stands for "unknown" in a stream's first packet, see `PACKET_TIMES`. */
const UNKNOWN_PTS = -30_000
/**
 * ffmpeg loses the time of the first packet of an RTSP stream, and its Matroska writer refuses such a packet. This marks
 * it, so that `withFirstTime` can work it out; without it the first group of pictures would be lost.
 */
const PACKET_TIMES =
  `setts=pts='if(eq(PTS,NOPTS),if(eq(N,0),${UNKNOWN_PTS / 1000}/TB,DTS),PTS)'` +
  `:dts='if(eq(N,0)*eq(PTS,NOPTS),${UNKNOWN_PTS / 1000}/TB,DTS)'`

export interface SessionDeps {
  readonly analysisPixels: number
  readonly ring: PacketRing
  readonly time: CaptureTime
  readonly now: () => Arrival
  readonly nextSequence: () => number
  /** Gets each frame; the next is read when this settles. */
  readonly onFrame: (frame: AnalysisFrame) => Promise<void>
  /** Gets every sign of life from the decoder, before anything is dropped. */
  readonly onDecoded: () => void
  /** Gets the size of the camera's picture when it is known and when it changes. */
  readonly onSource: (source: Pick<MatroskaHeader, 'width' | 'height'> & { nominalFps?: number }) => void
}

/**
 * Runs one ffmpeg on a camera until the stream ends, fails or the signal is aborted.
 *
 * @throws {RoadveilError} the reason, ERR_CAMERA_ENDED included; returns only when a recording was read to its end
 */
export async function runSession(
  config: CameraConfig,
  deps: SessionDeps,
  signal: AbortSignal,
): Promise<void> {
  const input = await cameraInput(config)
  await using ffmpeg = startFfmpeg(
    ffmpegArguments(input.args, config.analysisFps, deps.analysisPixels),
    input.stdin,
    2,
    (message) => {
      if (message.kind === 'size-change') deps.onSource(message)
    },
  )
  const stop = (): void => void ffmpeg.stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    await readOutputs(ffmpeg, config, deps)
  } catch (error) {
    if (signal.aborted) return
    // Why ffmpeg ended says more than where its output broke off.
    const failure = await reasonOf(ffmpeg, error)
    throw failure
  } finally {
    signal.removeEventListener('abort', stop)
    deps.ring.end()
  }
  const end = await ffmpeg.ended
  if (end.exitCode === 0 && config.url.startsWith('file:')) return
  throw end.failure ?? new RoadveilError('ERR_CAMERA_ENDED', 'the stream ended')
}

async function reasonOf(ffmpeg: Ffmpeg, error: unknown): Promise<unknown> {
  if (!(error instanceof RoadveilError) || error.code !== 'ERR_CAMERA_ENDED') return error
  const end = await ffmpeg.ended
  return end.failure ?? error
}

function ffmpegArguments(input: readonly string[], fps: number, pixels: number): readonly string[] {
  const muxer = ['-avoid_negative_ts', 'disabled', '-cluster_time_limit', '1', '-flush_packets', '1']
  return [
    ...['-hide_banner', '-nostats', '-loglevel', 'info', '-threads', '1'],
    // The scaler follows a change of size by itself and keeps its output: coordinates of 0-1 stay true.
    ...['-reinit_filter', '0'],
    ...input,
    ...['-map', '0:v:0', '-filter:v', analysisFilter(fps, pixels), '-fps_mode', 'passthrough'],
    ...['-c:v', 'rawvideo', '-allow_raw_vfw', '1', ...muxer, '-f', 'matroska', 'pipe:3'],
    ...['-map', '0:v:0', '-c:v', 'copy', '-bsf:v', PACKET_TIMES, ...muxer, '-f', 'matroska', 'pipe:4'],
  ]
}

async function readOutputs(ffmpeg: Ffmpeg, config: CameraConfig, deps: SessionDeps): Promise<void> {
  const [pictures, packets] = ffmpeg.outputs
  if (!pictures || !packets) throw new RoadveilError('ERR_FFMPEG_MISSING', 'ffmpeg could not be started')
  const source = Promise.withResolvers<MatroskaHeader>()
  source.promise.catch(() => undefined)
  const arrivals = new Map<number, Arrival>()

  const reading = [
    readPackets(packets, deps, source.resolve, arrivals).catch((error: unknown) => {
      source.reject(error)
      throw error
    }),
    readPictures(pictures, config, deps, source.promise, arrivals),
  ]
  try {
    await Promise.all(reading)
  } catch (error) {
    // The first failure ends both.
    pictures.destroy()
    packets.destroy()
    await Promise.allSettled(reading)
    throw error
  }
}

async function readPackets(
  stream: AsyncIterable<Uint8Array>,
  deps: SessionDeps,
  onHeader: (header: MatroskaHeader) => void,
  arrivals: Map<number, Arrival>,
): Promise<void> {
  let settling: Packet[] | undefined = []
  for await (const part of readMatroska(stream, MAX_PACKET_BYTES)) {
    if (part.kind === 'header') {
      deps.ring.begin(part)
      deps.onSource({
        width: part.width,
        height: part.height,
        ...(part.nominalFps !== undefined && { nominalFps: part.nominalFps }),
      })
      onHeader(part)
      continue
    }
    const arrival = deps.now()
    if (part.pts !== UNKNOWN_PTS) {
      deps.time.observe(part, arrival.hostAt, arrival.monotonicMs)
      remember(arrivals, part.pts, arrival)
    }
    settling?.push(part)
    const anchor = deps.time.anchorFor(part.pts)
    if (anchor === undefined) continue
    for (const packet of settling ? withFirstTime(settling) : [part]) deps.ring.add(packet, anchor)
    settling = undefined
  }
}

function remember(arrivals: Map<number, Arrival>, pts: number, arrival: Arrival): void {
  arrivals.set(pts, arrival)
  if (arrivals.size <= MAX_ARRIVALS) return
  for (const oldest of arrivals.keys()) {
    arrivals.delete(oldest)
    return
  }
}

/** Gives the first packet of an RTSP stream its time: one picture before the earliest of the others. */
function withFirstTime(packets: readonly Packet[]): readonly Packet[] {
  const [first, ...others] = packets
  if (first?.pts !== UNKNOWN_PTS) return packets
  const times = others.map((packet) => packet.pts).sort((a, b) => a - b)
  const earliest = times[0]
  if (earliest === undefined) return []
  const gaps = times.slice(1).map((pts, i) => pts - (times[i] ?? pts))
  const usual = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0
  return [{ ...first, pts: earliest - usual }, ...others]
}

async function readPictures(
  stream: AsyncIterable<Uint8Array>,
  config: CameraConfig,
  deps: SessionDeps,
  source: Promise<MatroskaHeader>,
  arrivals: ReadonlyMap<number, Arrival>,
): Promise<void> {
  // However long and thin a picture is, its frame has not many times the pixels that were asked for.
  for await (const part of readMatroska(stream, deps.analysisPixels * 3 * 4)) {
    if (part.kind === 'header') continue
    const { content, frame } = analysisSize(await source, deps.analysisPixels)
    if (part.data.length !== frame.width * frame.height * 3) {
      throw new RoadveilError('ERR_CAMERA_GARBAGE', 'ffmpeg wrote a frame of another size')
    }
    deps.onDecoded()
    const anchor = deps.time.anchorFor(part.pts)
    // Until the anchor is settled no frame has a capture time that can be stood by.
    if (anchor === undefined) continue
    await deps.onFrame(
      rawFrame({
        cameraId: config.id,
        sequence: deps.nextSequence(),
        capturedAt: anchor + part.pts,
        ...frame,
        planes: part.data,
        contentWidth: content.width,
        contentHeight: content.height,
        // Its packet was here before the decoder had it ready.
        arrival: arrivals.get(part.pts) ?? deps.now(),
      }),
    )
  }
}
