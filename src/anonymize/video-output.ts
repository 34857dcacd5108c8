import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { confined } from '../camera/confined.ts'
import { matroskaParts } from '../camera/matroska-writer.ts'
import type { Matrix } from '../domain/colour.ts'
import type { RedactedVideoFrame } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { diskFull } from './outputs.ts'

/** Characters of its messages in which one is looked for. */
const MAX_MESSAGE = 4096

/** What a player must know to show the colours and the shape of the pictures as they were; names as ffmpeg has them. */
export interface VideoColours {
  readonly matrix: Matrix
  readonly primaries: string | undefined
  readonly transfer: string | undefined
  /** Width of a pixel by its height. */
  readonly pixelAspect: number
}

/** Takes redacted frames one by one and writes an MP4. Disposing ends the encoder, finished or not. */
export interface VideoEncoder extends AsyncDisposable {
  /**
   * Resolves when the encoder can take the next one; `capturedAt` is its time in the video.
   *
   * @throws RoadveilError as `finish`, once the encoder has ended
   */
  write(frame: RedactedVideoFrame): Promise<void>
  /** The file is whole when this resolves. @throws RoadveilError ERR_ENCODE_FAILED, ERR_OUTPUT_DISK_FULL */
  finish(): Promise<void>
}

/**
 * Starts an H.264 encoder. Only redacted frames go in, each with its own time; no sound, tag, chapter or other stream can come
 * out, since none goes in.
 *
 * @param file is overwritten, with the rights that it has
 * @param size of every frame, pixels; an odd side grows by one pixel of black, which H.264 needs
 */
export function openVideoEncoder(
  file: string,
  size: { readonly width: number; readonly height: number },
  colours: VideoColours,
): VideoEncoder {
  const { command, args, env } = confined('ffmpeg', encoderArguments(file, size, colours))
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'], env })
  let failure: unknown
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      failure = error
      resolve(null)
    })
    child.once('close', (code) => resolve(code))
  })
  // Its messages are read for one thing, and kept no longer: they may name the file.
  let [isDiskFull, tail] = [false, '']
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-MAX_MESSAGE)
    isDiskFull ||= /No space left on device|Disk quota exceeded/.test(tail)
  })
  const failed = (code: number | null): RoadveilError =>
    isDiskFull
      ? diskFull(failure)
      : new RoadveilError(
          'ERR_ENCODE_FAILED',
          `ffmpeg could not encode the video (exit code ${code ?? 'none'})`,
          { cause: failure },
        )
  child.stdin.on('error', () => undefined) // the exit code says it better
  let header: Uint8Array | undefined = rawHeader(size)

  return {
    async write({ planes, capturedAt }) {
      const block = { pts: capturedAt, key: true, data: planes }
      const parts = matroskaParts(header ?? new Uint8Array(0), [block])
      header = undefined
      child.stdin.cork()
      const isTaken = parts.map((part) => child.stdin.write(part)).every(Boolean)
      child.stdin.uncork()
      if (isTaken) return
      const isEnded = ended.then(() => true)
      // A pipe that breaks says that it has ended, or is about to.
      const drained = once(child.stdin, 'drain').then(
        () => false,
        () => isEnded,
      )
      if (await Promise.race([drained, isEnded])) throw failed(await ended)
    },
    async finish() {
      child.stdin.end()
      const code = await ended
      // It may end with 0 although the end of the file did not fit any more.
      if (code !== 0 || isDiskFull) throw failed(code)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}

function encoderArguments(
  file: string,
  { width, height }: { readonly width: number; readonly height: number },
  { matrix, primaries, transfer, pixelAspect }: VideoColours,
): readonly string[] {
  const isOdd = width % 2 > 0 || height % 2 > 0
  const shape = `setsar=${pixelAspect}${isOdd ? ',pad=ceil(iw/2)*2:ceil(ih/2)*2' : ''}`
  return [
    ...['-hide_banner', '-loglevel', 'error', '-y', '-threads', '1', '-filter_threads', '1'],
    ...['-f', 'matroska', '-i', 'pipe:0', '-vf', shape],
    // The time base of the input: the encoder's own would move pictures to a grid.
    ...['-fps_mode', 'passthrough', '-enc_time_base', '-1'],
    ...['-c:v', 'libx264', '-preset', 'superfast', '-crf', '21', '-g', '100', '-threads', '2'],
    ...['-colorspace', matrix, '-color_range', 'tv'],
    ...(primaries === undefined ? [] : ['-color_primaries', primaries]),
    ...(transfer === undefined ? [] : ['-color_trc', transfer]),
    ...['-map_metadata', '-1', '-fflags', '+bitexact', '-flags:v', '+bitexact'],
    ...['-movflags', '+faststart', '-f', 'mp4', `file:${file}`],
  ]
}

/** The head of a Matroska stream of raw pictures (RFC 9559). */
function rawHeader({ width, height }: { readonly width: number; readonly height: number }): Uint8Array {
  const video = [element('b0', number(width)), element('ba', number(height)), element('2eb524', 'I420')]
  const track = [
    ...[element('d7', number(1)), element('73c5', number(1)), element('83', number(1))],
    ...[element('86', 'V_UNCOMPRESSED'), element('e0', ...video)],
  ]
  return Buffer.concat([
    element('1a45dfa3', element('4282', 'matroska'), element('4287', number(4)), element('4285', number(2))),
    // A segment without an end.
    Buffer.from('1853806701ffffffffffffff', 'hex'),
    element('1549a966', element('2ad7b1', number(1_000_000))),
    element('1654ae6b', element('ae', ...track)),
  ])
}

/** An element of known, small size. */
function element(id: string, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  const size = Buffer.alloc(2)
  size.writeUInt16BE(0x4000 | body.length)
  return Buffer.concat([Buffer.from(id, 'hex'), size, body])
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
