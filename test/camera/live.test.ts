import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { decodeFrames } from '../../src/camera/decode.ts'
import { startRtspCamera } from '../support/rtsp-camera.ts'
import { until } from '../support/until.ts'
import { renderVideo } from '../support/video.ts'
import {
  cameraConfig,
  commandLines,
  liveConfig,
  ownFfmpegs,
  quickCamera,
  takeFrames,
  watch,
} from './cameras.ts'

const folder = t.testdir()
const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 8 })

await t.test(
  'a live camera gives five frames a second with the times at which they were taken',
  async (t) => {
    await using server = await startRtspCamera(video)
    const { camera, log } = quickCamera(liveConfig(server))
    await using watched = watch(camera)
    await until('30 frames', () => watched.frames.length >= 30)

    const secrets = [server.password, encodeURIComponent(server.password), server.user]
    const lines = commandLines().map((each) => each.line)
    t.ok(
      lines.some((line) => line.startsWith('ffmpeg ') && line.includes('pipe:3')),
      'ffmpeg was looked at',
    )
    for (const secret of secrets) {
      t.notOk(
        lines.some((line) => line.includes(secret)),
        'credentials are in no command line',
      )
      t.notOk(log.some((line) => line.includes(secret)) || JSON.stringify(camera.stats()).includes(secret))
    }

    const { frames } = watched
    for (const [i, frame] of frames.entries()) {
      const next = frames[i + 1]
      if (next) {
        t.ok(next.capturedAt > frame.capturedAt && next.sequence > frame.sequence, 'in order')
      }
      t.ok(Math.abs(frame.arrival.hostAt - frame.capturedAt) < 2_000, 'captured shortly before it arrived')
      t.match(frame, { cameraId: 'north', width: 128, height: 96, contentWidth: 128, contentHeight: 70 })
      // The grey below the picture, in all three planes.
      for (const plane of [0, 1, 2]) t.equal(frame.planes[(plane * 96 + 80) * 128 + 3], 114)
    }
    const [first, last] = [frames[0], frames.at(-1)]
    if (!first || !last) throw new Error('no frames')
    const fps = ((last.sequence - first.sequence) * 1000) / (last.capturedAt - first.capturedAt)
    t.ok(fps > 4.5 && fps < 5.5, `${fps} fps`)
    t.match(camera.stats(), { state: 'live', restarts: 0, sourceWidth: 640, sourceHeight: 352 })
  },
)

await t.test('the ring shows the same pictures at the same times as the analysis frames', async (t) => {
  await using server = await startRtspCamera(video)
  const { camera } = quickCamera(liveConfig(server), {
    analysisPixels: 226_000,
  })
  await using watched = watch(camera)
  await until('25 frames', () => watched.frames.length >= 25)
  const wanted = watched.frames.slice(10, 20)
  const [from, to] = [wanted[0]?.capturedAt ?? 0, wanted.at(-1)?.capturedAt ?? 0]
  const signal = AbortSignal.timeout(90_000)
  await camera.ring.waitFor(to, signal)
  const clip = camera.ring.clip(from, to)

  const decoded = await Array.fromAsync(decodeFrames(clip, { fps: 25, from, to, cameraId: 'north' }, signal))
  for (const frame of wanted) {
    const same = decoded.find((each) => Math.abs(each.capturedAt - frame.capturedAt) < 1)
    if (!same) throw new Error('a frame is missing')
    t.match(same, { width: 640, height: 352, cameraId: 'north' })
    const before = decoded[decoded.indexOf(same) - 1]
    // 640 wide pictures fill the 640 square one to one.
    const shown = difference(frame.planes, 640, same.planes)
    t.ok(shown < 1.5, `the picture is the same (${shown})`)
    if (before) t.ok(difference(frame.planes, 640, before.planes) > shown + 0.5, 'and not the one before')
  }
})

/** Mean difference of the green planes: a square of `size` against a 640x352 picture. */
function difference(square: Uint8Array, size: number, picture: Uint8Array): number {
  let sum = 0
  for (let y = 0; y < 352; y++) {
    for (let x = 0; x < 640; x++) sum += Math.abs((square[y * size + x] ?? 0) - (picture[y * 640 + x] ?? 0))
  }
  return sum / (640 * 352)
}

await t.test('an H.265 camera works, too', async (t) => {
  const h265 = await renderVideo(join(folder, 'h265.mp4'), { seconds: 4, fps: 10, codec: 'libx265' })
  await using server = await startRtspCamera(h265)
  const { camera } = quickCamera(liveConfig(server))
  t.equal((await takeFrames(camera, 5)).length, 5)
})

await t.test(
  'a wrong password is told as such, and the camera is tried again at the longest interval',
  async (t) => {
    await using server = await startRtspCamera(video)
    await using other = await startRtspCamera(video)
    const { camera, log } = quickCamera(
      cameraConfig(server.url, { credentialsFile: other.credentialsFile }),
      { backoff: { minMs: 10, maxMs: 60_000 } },
    )
    await using watched = watch(camera)
    await until('waiting', () => camera.stats().state === 'waiting')
    t.match(camera.stats(), { lastErrorCode: 'ERR_CAMERA_UNAUTHORIZED', frames: 0 })
    t.match(JSON.parse(log.at(-1) ?? '{}'), {
      level: 'warn',
      code: 'ERR_CAMERA_UNAUTHORIZED',
      delayMs: Number,
    })
    t.ok((JSON.parse(log.at(-1) ?? '{}') as { delayMs: number }).delayMs >= 30_000)
    t.notOk(log.some((line) => line.includes(other.password)))
    t.equal(watched.frames.length, 0)
  },
)

await t.test('a camera that dies is reconnected when it is back, and its frames count on', async (t) => {
  const server = await startRtspCamera(video)
  const credentialsFile = join(folder, 'credentials')
  await copyFile(server.credentialsFile, credentialsFile)
  const { camera } = quickCamera(cameraConfig(server.url, { credentialsFile }))
  await using watched = watch(camera)
  await until('frames', () => watched.frames.length >= 3)
  await server.kill()
  await until('two attempts', () => camera.stats().restarts >= 2)
  t.match(camera.stats().lastErrorCode, /ERR_CAMERA_(UNREACHABLE|ENDED|UNAUTHORIZED)/)
  const before = watched.frames.length
  await using again = await startRtspCamera(video, server)
  t.equal(again.port, server.port)
  await until('more frames', () => watched.frames.length >= before + 3)
  const sequences = watched.frames.map((frame) => frame.sequence)
  t.same(
    sequences,
    [...new Set(sequences)].toSorted((a, b) => a - b),
  )
  t.equal(camera.stats().state, 'live')
})

await t.test('leaving the loop ends ffmpeg', async (t) => {
  t.same(ownFfmpegs(), [])
})
