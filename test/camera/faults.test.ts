import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { startRtspCamera } from '../support/rtsp-camera.ts'
import { until } from '../support/until.ts'
import { renderVideo } from '../support/video.ts'
import {
  cameraConfig,
  commandLines,
  liveConfig,
  ownFfmpegs,
  quickCamera,
  startServer,
  startThrottle,
  watch,
} from './cameras.ts'

const folder = t.testdir()
const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 8 })

/** For faults that show as silence. */
const IMPATIENT = { stallMs: 4_000 }

await t.test(
  'hanging, garbage and absent cameras are restarted, and a good one beside them does not notice',
  async (t) => {
    await using good = await startRtspCamera(video)
    await using hanging = await startServer(() => undefined)
    await using noisy = await startServer((socket) =>
      socket.end(Buffer.alloc(50_000, 'RTSP/1.0 200 \xff\x00!\r\n')),
    )
    const gone = await startServer(() => undefined)
    await gone[Symbol.asyncDispose]()

    const cameras = {
      // With the usual patience: a slow machine is not its fault.
      good: quickCamera(liveConfig(good)).camera,
      hanging: quickCamera(cameraConfig(`rtsp://127.0.0.1:${hanging.port}/cam`), IMPATIENT).camera,
      noisy: quickCamera(cameraConfig(`rtsp://127.0.0.1:${noisy.port}/cam`), IMPATIENT).camera,
      gone: quickCamera(cameraConfig(`rtsp://127.0.0.1:${gone.port}/cam`), IMPATIENT).camera,
    }
    await using watched = watch(cameras.good)
    await using bad = new AsyncDisposableStack()
    for (const camera of [cameras.hanging, cameras.noisy, cameras.gone]) bad.use(watch(camera))
    await until('restarts', () =>
      [cameras.hanging, cameras.noisy, cameras.gone].every((camera) => camera.stats().restarts >= 2),
    )
    await until('frames', () => watched.frames.length >= 15)
    t.match(cameras.hanging.stats().lastErrorCode, /ERR_CAMERA_(STALLED|UNREACHABLE)/)
    t.match(cameras.noisy.stats().lastErrorCode, /ERR_CAMERA_(GARBAGE|ENDED|UNREACHABLE)/)
    t.equal(cameras.gone.stats().lastErrorCode, 'ERR_CAMERA_UNREACHABLE')
    t.match(cameras.good.stats(), { restarts: 0, state: 'live' })
  },
)

await t.test('a camera that drips is restarted, and lives again when the line is good', async (t) => {
  await using server = await startRtspCamera(video)
  await using line = await startThrottle(server.port)
  const { camera } = quickCamera(
    cameraConfig(`rtsp://127.0.0.1:${line.port}/cam`, { credentialsFile: server.credentialsFile }),
    IMPATIENT,
  )
  await using watched = watch(camera)
  await until('frames', () => watched.frames.length >= 5)
  line.bytesPerSecond = 6_000
  await until('a restart', () => camera.stats().restarts >= 1)
  t.equal(camera.stats().lastErrorCode, 'ERR_CAMERA_STALLED')
  line.bytesPerSecond = Infinity
  const before = watched.frames.length
  await until('frames again', () => watched.frames.length >= before + 5)
  t.equal(camera.stats().state, 'live')
})

await t.test('a wrong credentials file is told, and used as soon as it is right', async (t) => {
  await using server = await startRtspCamera(video)
  const file = join(folder, 'credentials')
  await writeFile(file, `${server.user}:${server.password}\n`, { mode: 0o600 })
  await chmod(file, 0o644)
  const { camera } = quickCamera(cameraConfig(server.url, { credentialsFile: file }))
  await using watched = watch(camera)
  await until('an attempt', () => camera.stats().lastErrorCode === 'ERR_SECRET_FILE')
  await chmod(file, 0o600)
  await until('frames', () => watched.frames.length >= 1)
  t.equal(camera.stats().state, 'live')
})

await t.test('without ffmpeg the error says what to install', async (t) => {
  const path = process.env['PATH']
  await mkdir(join(folder, 'bin'))
  const { camera } = quickCamera(cameraConfig('rtsp://127.0.0.1:9/cam'))
  try {
    process.env['PATH'] = join(folder, 'bin')
    await using watched = watch(camera)
    await until('an attempt', () => camera.stats().restarts >= 1)
    t.same(watched.frames, [])
    t.equal(camera.stats().lastErrorCode, 'ERR_FFMPEG_MISSING')
  } finally {
    process.env['PATH'] = path
  }
})

await t.test('a killed process leaves no ffmpeg behind', async (t) => {
  await using server = await startRtspCamera(video)
  const script = join(folder, 'watch.ts')
  const module = new URL('./cameras.ts', import.meta.url).href
  const config = { credentialsFile: server.credentialsFile }
  await writeFile(
    script,
    `import { cameraConfig, quickCamera } from ${JSON.stringify(module)}
    const { camera } = quickCamera(cameraConfig(${JSON.stringify(server.url)}, ${JSON.stringify(config)}))
    for await (const frame of camera.frames(new AbortController().signal)) console.log(frame.sequence)`,
  )
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface(child.stdout), 'line')
  const started = ownFfmpegs(child.pid)
  t.equal(started.length, 1)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until(
    'ffmpeg is gone',
    () => !commandLines().some((each) => started.includes(each.pid) && each.line !== ''),
  )
})
