import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { openCamera } from '../../src/camera/camera.ts'
import { decodeFrames } from '../../src/camera/decode.ts'
import type { AnalysisFrame } from '../../src/domain/frame.ts'
import { renderVideo } from '../support/video.ts'
import { cameraConfig, ownFfmpegs, PIXELS, quickCamera, takeFrames } from './cameras.ts'

const STARTS_AT = Date.UTC(2026, 2, 1, 8)
const folder = t.testdir()
const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 5 })
const config = cameraConfig(`file:${video}`, { replay: 'fast', replayStartsAt: STARTS_AT })

const timesOf = (frames: readonly AnalysisFrame[]): number[] =>
  frames.map((frame) => frame.capturedAt - STARTS_AT)

await t.test('a recording gives its own times and ends', async (t) => {
  const { camera } = quickCamera(config)
  const frames = await takeFrames(camera, Infinity)
  t.same(
    timesOf(frames),
    Array.from({ length: 25 }, (_, i) => i * 200),
  )
  t.match(camera.stats(), { state: 'ended', frames: 25, dropped: 0, restarts: 0 })
  t.same(camera.ring.spanAt(STARTS_AT), { fromMs: STARTS_AT, toMs: STARTS_AT + 4_960 })
})

await t.test('a slow consumer of a fast replay loses no frame, and holds up the recording', async (t) => {
  const { camera } = quickCamera({ ...config, preRollMs: 2_000 })
  const frames: AnalysisFrame[] = []
  for await (const frame of camera.frames(AbortSignal.timeout(30_000))) {
    await new Promise((resolve) => setTimeout(resolve, 60))
    t.ok(camera.ring.spanAt(frame.capturedAt), 'its video is still in the ring')
    frames.push(frame)
  }
  t.equal(frames.length, 25)
})

await t.test('a fast replay shows the same pictures at the same times as one in real time', async (t) => {
  const startedAt = Date.now()
  const realtime = await takeFrames(quickCamera({ ...config, replay: 'realtime' }).camera, Infinity)
  t.ok(Date.now() - startedAt > 4_000, 'it takes as long as the recording')
  const fast = await takeFrames(quickCamera(config).camera, Infinity)
  for (const frame of realtime) {
    const same = fast.find((each) => each.capturedAt === frame.capturedAt)
    t.ok(same && Buffer.compare(same.planes, frame.planes) === 0, `${frame.capturedAt - STARTS_AT} ms`)
  }
  t.ok(realtime.length > 15, `${realtime.length} of 25 frames`)
})

await t.test('without a start time a recording begins now', async (t) => {
  const before = Date.now()
  const timeless = cameraConfig(config.url, { replay: 'fast' })
  const [first] = await takeFrames(quickCamera(timeless).camera, 1)
  t.ok(first && first.capturedAt >= before && first.capturedAt <= Date.now())
})

await t.test('portrait pictures fill the height', async (t) => {
  const portrait = await renderVideo(join(folder, 'portrait.mp4'), { size: '360x640', seconds: 1 })
  const [frame] = await takeFrames(quickCamera({ ...config, url: `file:${portrait}` }).camera, 1)
  t.match(frame, { width: 96, height: 128, contentWidth: 72, contentHeight: 128 })
  t.equal(frame?.planes[71] === 114, false)
  t.equal(frame?.planes[73], 114)
})

await t.test(
  'a camera that changes its picture size goes on, and places in the picture stay true',
  async (t) => {
    const white = (size: string): string =>
      `color=black:size=${size}:rate=10:duration=3,drawbox=x=iw/2:y=0:w=iw/2:h=ih/2:color=white:t=fill`
    const parts = await Promise.all(
      ['640x360', '320x240'].map(async (size, i) =>
        renderVideo(join(folder, `part${i}.ts`), { fps: 10, source: white(size) }),
      ),
    )
    const joined = join(folder, 'joined.ts')
    await promisify(execFile)('ffmpeg', [
      ...['-v', 'error', '-i', `concat:${parts.join('|')}`, '-c', 'copy', joined],
    ])
    const { camera } = quickCamera({ ...config, url: `file:${joined}` })
    const frames: AnalysisFrame[] = []
    const sizes = new Set<string>()
    for await (const frame of camera.frames(AbortSignal.timeout(30_000))) {
      frames.push(frame)
      sizes.add(`${camera.stats().sourceWidth}x${camera.stats().sourceHeight}`)
      const at = (x: number, y: number): number =>
        frame.planes[
          Math.floor(y * frame.contentHeight) * frame.width + Math.floor(x * frame.contentWidth)
        ] ?? -1
      t.ok(
        at(0.75, 0.25) > 200 && at(0.25, 0.25) < 60 && at(0.75, 0.75) < 60,
        `at ${frame.capturedAt - STARTS_AT}`,
      )
    }
    t.ok(frames.length >= 28, `${frames.length} frames`)
    t.ok(sizes.has('640x360') && sizes.has('320x240'), [...sizes].join())

    const last = frames.at(-1)?.capturedAt ?? 0
    const clip = camera.ring.clip(STARTS_AT + 2_000 - 600, last)
    const options = { fps: 10, from: STARTS_AT + 2_000, to: last, cameraId: 'north' }
    const decoded = await Array.fromAsync(decodeFrames(clip, options, AbortSignal.timeout(30_000)))
    t.ok(decoded.length > 30)
    for (const frame of decoded) {
      t.match(frame, { width: 640, height: 360 })
      t.ok((frame.planes[90 * 640 + 480] ?? 0) > 200 && (frame.planes[270 * 640 + 480] ?? 255) < 60)
    }
  },
)

await t.test('what is no recording ends with a coded error', async (t) => {
  const noise = join(folder, 'noise.mp4')
  await writeFile(noise, Buffer.alloc(100_000, 'no video '))
  for (const [url, code] of [
    [`file:${noise}`, 'ERR_CAMERA_GARBAGE'],
    ['file:/nowhere/video.mp4', 'ERR_CAMERA_UNREACHABLE'],
  ] as const) {
    const { camera } = quickCamera({ ...config, url })
    await t.rejects(takeFrames(camera, 1), { code })
    t.equal(camera.stats().lastErrorCode, code)
  }
})

await t.test('aborting ends a replay that nobody reads on', async (t) => {
  const { camera } = quickCamera(config)
  const stop = new AbortController()
  for await (const frame of camera.frames(stop.signal)) {
    t.ok(frame)
    stop.abort()
  }
  t.same(ownFfmpegs(), [])
})

await t.test('opening a camera starts nothing', async (t) => {
  openCamera(config, { analysisPixels: PIXELS, logger: { debug() {}, info() {}, warn() {}, error() {} } })
  t.same(ownFfmpegs(), [])
})
