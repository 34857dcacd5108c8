import { readdirSync, readFileSync } from 'node:fs'
import { createServer, connect, type Socket } from 'node:net'
import { once } from 'node:events'
import type { Camera, CameraDeps } from '../../src/camera/camera.ts'
import { openCamera } from '../../src/camera/camera.ts'
import type { CameraConfig } from '../../src/config/config.ts'
import type { AnalysisFrame } from '../../src/domain/frame.ts'
import { createLogger, type Logger } from '../../src/log.ts'
import type { RtspCamera } from '../support/rtsp-camera.ts'

/** A camera's config with everything that a test does not care about. */
export function cameraConfig(url: string, more: Partial<CameraConfig> = {}): CameraConfig {
  return {
    id: 'north',
    url,
    replay: 'realtime',
    analysisFps: 5,
    preRollMs: 10_000,
    timeZone: 'Europe/Berlin',
    zones: [],
    rules: [],
    ...more,
  }
}

/** The config of a camera that runs for a test. */
export function liveConfig({ url, credentialsFile }: RtspCamera): CameraConfig {
  return cameraConfig(url, { credentialsFile })
}

/** Of analysis frames: one of 16:9 has 128x72 of them, in 128x96. */
export const PIXELS = 10_000

/** Opens a camera that is soon tried again, and keeps what it logs. */
export function quickCamera(
  config: CameraConfig,
  deps: Partial<CameraDeps> = {},
): { readonly camera: Camera; readonly log: string[] } {
  const log: string[] = []
  const logger: Logger = createLogger({
    process: 'vision',
    level: 'debug',
    destination: { write: (line) => void log.push(line) },
  })
  const camera = openCamera(config, {
    analysisPixels: PIXELS,
    logger,
    backoff: { minMs: 100, maxMs: 400 },
    ...deps,
  })
  return { camera, log }
}

/** Reads frames until `count` have come or two minutes are over. */
export async function takeFrames(camera: Camera, count: number): Promise<AnalysisFrame[]> {
  const frames: AnalysisFrame[] = []
  for await (const frame of camera.frames(AbortSignal.timeout(120_000))) {
    frames.push(frame)
    if (frames.length >= count) break
  }
  return frames
}

/** Reads a camera in the background. */
export function watch(camera: Camera): AsyncDisposable & { readonly frames: AnalysisFrame[] } {
  const frames: AnalysisFrame[] = []
  const stop = new AbortController()
  const reading = (async () => {
    for await (const frame of camera.frames(stop.signal)) frames.push(frame)
  })()
  return {
    frames,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await reading
    },
  }
}

/** Command lines of all processes that run now, arguments separated by spaces. */
export function commandLines(): { readonly pid: number; readonly parent: number; readonly line: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const status = readFileSync(`/proc/${name}/stat`, 'utf8')
        const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1])
        return [{ pid: Number(name), parent, line }]
      } catch {
        return []
      }
    })
}

/** The ffmpeg processes that this one has started and that still run. */
export function ownFfmpegs(parent = process.pid): number[] {
  return commandLines()
    .filter((each) => each.parent === parent && each.line.startsWith('ffmpeg '))
    .map((each) => each.pid)
}

/** A server that does to each connection what a test wants. */
export async function startServer(
  onConnection: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Stands between a camera and whoever reads it; `bytesPerSecond` may be changed at any time. */
export async function startThrottle(
  port: number,
): Promise<AsyncDisposable & { readonly port: number; bytesPerSecond: number }> {
  const limit = { bytesPerSecond: Infinity }
  const server = await startServer((client) => {
    const camera = connect(port, '127.0.0.1')
    camera.on('error', () => client.destroy())
    client.on('close', () => camera.destroy())
    camera.on('close', () => client.destroy())
    client.pipe(camera)
    camera.on('data', (chunk: Buffer) => {
      client.write(chunk)
      if (limit.bytesPerSecond === Infinity) return
      camera.pause()
      setTimeout(() => camera.resume(), (chunk.length / limit.bytesPerSecond) * 1000)
    })
  })
  return Object.assign(limit, {
    port: server.port,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  })
}
