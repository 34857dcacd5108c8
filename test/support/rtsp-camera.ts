import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A running RTSP camera on loopback. Disposing ends it. */
export interface RtspCamera extends AsyncDisposable {
  /** Without credentials. */
  readonly url: string
  /** One line user:password, mode 0600. */
  readonly credentialsFile: string
  readonly user: string
  readonly password: string
  readonly port: number
  readonly pid: number
  /** Ends it as an operator would. */
  stop(): Promise<void>
  /** Ends it as a power cut would. */
  kill(): Promise<void>
}

const SCRIPT = join(import.meta.dirname, '../../scripts/rtsp-camera.py')

/**
 * Starts GStreamer's RTSP server on a clip (H.264 or H.265), with credentials of its own.
 *
 * @param back an earlier camera, to come back on its port with its credentials
 */
export async function startRtspCamera(
  clip: string,
  back?: Pick<RtspCamera, 'port' | 'user' | 'password'>,
): Promise<RtspCamera> {
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-camera-'))
  const credentialsFile = join(folder, 'credentials')
  const user = back?.user ?? `viewer-${randomBytes(3).toString('hex')}`
  // Everything that needs care in a URL, an ffconcat script or a shell.
  const password = back?.password ?? `s3cr't/@:%40 #"\\${randomBytes(6).toString('hex')}`
  await writeFile(credentialsFile, `${user}:${password}\n`, { mode: 0o600 })

  const child = spawn(
    '/usr/bin/python3',
    [SCRIPT, '--port', String(back?.port ?? 0), '--credentials-file', credentialsFile, clip],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const gone = once(child, 'exit')
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await gone
    await rm(folder, { recursive: true, force: true })
  }
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => String(text)),
    gone.then(() => ''),
  ])
  if (line === '') {
    await end('SIGKILL')
    throw new Error('the RTSP camera did not start; see its message above')
  }
  const { port } = JSON.parse(line) as { port: number }
  return {
    url: `rtsp://127.0.0.1:${port}/cam`,
    credentialsFile,
    user,
    password,
    port,
    pid: child.pid ?? 0,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  }
}
