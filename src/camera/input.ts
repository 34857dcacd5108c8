import { open } from 'node:fs/promises'
import type { CameraConfig } from '../config/config.ts'
import { RoadveilError } from '../errors.ts'

/** How ffmpeg is told what to read. */
export interface FfmpegInput {
  readonly args: readonly string[]
  /** What it reads on `pipe:0`. */
  readonly stdin: string
}

/** How long ffmpeg waits for a connection or an answer, microseconds. */
const SOCKET_TIMEOUT_US = 5_000_000

/**
 * The input of one ffmpeg session. A camera's URL with its credentials goes to ffmpeg as an ffconcat script on its standard
 * input, so that neither `ps` nor a file ever shows it.
 *
 * @throws {RoadveilError} ERR_SECRET_FILE when the credentials file is missing, readable by others, or not one line user:password
 */
export async function cameraInput(config: CameraConfig): Promise<FfmpegInput> {
  if (config.url.startsWith('file:')) {
    const pace = config.replay === 'realtime' ? ['-re'] : []
    return { args: [...pace, '-protocol_whitelist', 'file', '-i', config.url], stdin: '' }
  }
  const credentials =
    config.credentialsFile === undefined ? undefined : await readCredentials(config.credentialsFile)
  return {
    args: ['-f', 'concat', '-safe', '0', '-protocol_whitelist', 'pipe,rtsp,rtp,tcp,tls', '-i', 'pipe:0'],
    stdin: concatScript(config.url, credentials),
  }
}

/** An ffconcat script that opens the camera over TCP and asks for its video only (ffmpeg-formats, "concat"). */
export function concatScript(url: string, credentials?: Credentials): string {
  const target = new URL(url)
  if (credentials) {
    target.username = quoted(credentials.user)
    target.password = quoted(credentials.password)
  }
  return [
    'ffconcat version 1.0',
    `file '${target.href.replaceAll("'", '%27')}'`,
    'option rtsp_transport tcp',
    'option allowed_media_types video',
    `option timeout ${SOCKET_TIMEOUT_US}`,
    '',
  ].join('\n')
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

/**
 * Reads a file with one line `user:password`.
 *
 * @throws {RoadveilError} ERR_SECRET_FILE when it is missing, readable by others, or holds anything else
 */
export async function readCredentials(file: string): Promise<Credentials> {
  try {
    await using handle = await open(file, 'r')
    const status = await handle.stat()
    if (!status.isFile() || (status.mode & 0o077) !== 0) {
      throw new RoadveilError('ERR_SECRET_FILE', `${file} can be read by others`)
    }
    const text = status.size <= 1024 ? await handle.readFile('utf8') : ''
    const match = /^([^:\p{Cc}]+):(\P{Cc}+)\r?\n?$/u.exec(text)
    if (!match) throw new RoadveilError('ERR_SECRET_FILE', `${file} is not one line user:password`)
    return { user: match[1] ?? '', password: match[2] ?? '' }
  } catch (error) {
    if (error instanceof RoadveilError) throw error
    throw new RoadveilError('ERR_SECRET_FILE', `${file} cannot be read`, { cause: error })
  }
}

/** For the user part of a URL: everything but letters, digits and -._~ as %XX, quotes included. */
function quoted(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
