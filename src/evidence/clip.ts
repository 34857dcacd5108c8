import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { confined } from '../camera/confined.ts'
import type { Matrix } from '../domain/colour.ts'
import type { RedactedVideoFrame } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'

/** Takes redacted frames one by one and gives an MP4 in memory. */
export interface ClipEncoder extends AsyncDisposable {
  /** Resolves when the encoder can take the next one. */
  write(frame: RedactedVideoFrame): Promise<void>
  /** The whole MP4. @throws RoadveilError ERR_ENCODE_FAILED */
  finish(): Promise<Uint8Array>
}

const MAX_CLIP_BYTES = 48 * 2 ** 20

/**
 * Starts an H.264 encoder. Only redacted frames go in; the MP4 comes out of a pipe, so nothing touches the disk. The
 * fragmented form needs no seeking. `-bitexact` keeps the encoder's own metadata out.
 *
 * @param format size of every frame in pixels, and how their colours are coded, which players must know
 * @param fps frames per second of the clip
 */
export function openClipEncoder(
  format: { readonly width: number; readonly height: number; readonly matrix: Matrix },
  fps: number,
): ClipEncoder {
  const input = [
    '-f',
    'rawvideo',
    '-pixel_format',
    'yuv420p',
    '-video_size',
    `${format.width}x${format.height}`,
    '-framerate',
    String(fps),
  ]
  const video = [
    '-vf',
    'pad=ceil(iw/2)*2:ceil(ih/2)*2',
    '-c:v',
    'libx264',
    '-preset',
    'superfast',
    '-crf',
    '23',
    '-g',
    String(2 * fps),
    '-colorspace',
    format.matrix,
    '-color_range',
    'tv',
  ]
  const output = [
    '-map_metadata',
    '-1',
    '-fflags',
    '+bitexact',
    '-flags:v',
    '+bitexact',
    '-movflags',
    'frag_keyframe+empty_moov+default_base_moof',
  ]
  const { command, args, env } = confined('ffmpeg', [
    ...['-hide_banner', '-v', 'error', '-nostdin', '-threads', '1', ...input, '-i', 'pipe:0'],
    ...[...video, '-threads', '2', ...output, '-f', 'mp4', 'pipe:1'],
  ])
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
  const parts: Buffer[] = []
  let bytes = 0
  let failure: unknown
  child.stdout.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes > MAX_CLIP_BYTES) child.kill('SIGKILL')
    else parts.push(part)
  })
  child.stderr.resume()
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      failure = error
      resolve(null)
    })
    child.once('close', (code) => resolve(code))
  })
  child.stdin.on('error', () => undefined) // the exit code says it better

  return {
    async write(frame) {
      if (frame.width !== format.width || frame.height !== format.height) {
        throw new RoadveilError(
          'ERR_EVIDENCE_INCOMPLETE',
          'the picture changed its size in the middle of the clip',
        )
      }
      if (child.stdin.write(frame.planes)) return
      await Promise.race([once(child.stdin, 'drain'), ended])
    },
    async finish() {
      child.stdin.end()
      const code = await ended
      if (code !== 0 || bytes > MAX_CLIP_BYTES) {
        throw new RoadveilError(
          'ERR_ENCODE_FAILED',
          `ffmpeg could not encode the clip (exit code ${code ?? 'none'})`,
          { cause: failure },
        )
      }
      return Buffer.concat(parts)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}
