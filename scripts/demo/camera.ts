import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Children } from './children.ts'

const SERVER = fileURLToPath(new URL('../rtsp-camera.py', import.meta.url))
export const BUILT_IN_CLIP = fileURLToPath(new URL('../../models/selftest/street.mp4', import.meta.url))

/** Where the camera's password lies in the folder of a run. */
export const CREDENTIALS_FILE = 'camera-credentials'

/** A camera as the box's config names it: the URL has no credentials in it. */
export interface DemoCamera {
  readonly url: string
  readonly credentialsFile?: string
  readonly what: string
}

/** Takes the user's RTSP camera, or plays a file (the built-in clip by default) as one on loopback. */
export async function openDemoCamera(
  input: string | undefined,
  directory: string,
  children: Children,
): Promise<DemoCamera> {
  const credentialsFile = `${directory}/${CREDENTIALS_FILE}`
  if (input?.match(/^rtsps?:/)) {
    const url = new URL(input)
    const what = `your camera at ${url.host}`
    if (!url.username) return { url: url.href, what }
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    writeFileSync(credentialsFile, `${credentials}\n`, { mode: 0o600 })
    url.username = url.password = ''
    return { url: url.href, credentialsFile, what }
  }
  if (input?.includes('://')) throw new Error('--input takes rtsp://host:port/path, rtsps://… or a file')
  const file = input === undefined ? BUILT_IN_CLIP : resolve(input)
  if (!existsSync(file)) throw new Error(`there is no file ${file}`)
  writeFileSync(credentialsFile, `viewer:${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 })
  const server = children.start('camera', [
    ...['/usr/bin/python3', SERVER, '--credentials-file', credentialsFile, playable(file, directory)],
  ])
  if (!server.stdout) throw new Error('the RTSP camera has no output')
  const lines = createInterface(server.stdout)
  const [line] = (await Promise.race([once(lines, 'line'), once(server, 'exit').then(() => [])])) as (
    string | undefined
  )[]
  if (line === undefined) throw new Error(`the RTSP camera did not start; see ${directory}/logs/camera.log`)
  const { port } = JSON.parse(line) as { port: number }
  return {
    url: `rtsp://127.0.0.1:${port}/cam`,
    credentialsFile,
    what: `an RTSP camera that plays ${input === undefined ? 'the built-in street scene' : file}`,
  }
}

/** RTSP cameras send H.264 or H.265; anything else that ffmpeg reads is converted first. */
function playable(file: string, directory: string): string {
  const probe = [
    '-v',
    'error',
    '-select_streams',
    'v:0',
    '-show_entries',
    'stream=codec_name',
    '-of',
    'csv=p=0',
    file,
  ]
  const codec = outputOf('ffprobe', probe)
  if (codec === 'h264' || codec === 'hevc') return file
  if (!codec) throw new Error(`${file} holds no video that ffmpeg can read`)
  const converted = `${directory}/clip.mp4`
  const encode = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-pix_fmt', 'yuv420p']
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-i', file, '-map', '0:v:0', ...encode, converted])
  return converted
}

/** What a program writes, or undefined when it fails. */
function outputOf(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return undefined
  }
}
