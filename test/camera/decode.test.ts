import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { decodeFrames, decodeVideoFrames } from '../../src/camera/decode.ts'
import type { PacketClip } from '../../src/camera/packet-ring.ts'
import { until } from '../support/until.ts'
import { renderVideo } from '../support/video.ts'
import { cameraConfig, ownFfmpegs, quickCamera, takeFrames } from './cameras.ts'

const STARTS_AT = Date.UTC(2026, 2, 1, 8)
const folder = t.testdir()
const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 4, size: '320x240' })
const never = new AbortController().signal

async function clipOf(from: number, to: number, file = video): Promise<PacketClip> {
  const { camera } = quickCamera(cameraConfig(`file:${file}`, { replay: 'fast', replayStartsAt: STARTS_AT }))
  await takeFrames(camera, Infinity)
  return camera.ring.clip(STARTS_AT + from, STARTS_AT + to)
}
const clip = await clipOf(1_500, 3_000)
const options = { fps: 25, from: STARTS_AT + 1_500, to: STARTS_AT + 3_000, cameraId: 'north' }

await t.test('every picture of the span comes out as ffmpeg itself decodes it, at its time', async (t) => {
  const frames = await Array.fromAsync(decodeFrames(clip, options, never))
  t.same(
    frames.map((frame) => [frame.sequence, frame.capturedAt - STARTS_AT]),
    Array.from({ length: 38 }, (_, i) => [i, 1_520 + i * 40]),
  )
  const { stdout } = await promisify(execFile)(
    'ffmpeg',
    ['-v', 'error', '-i', video, '-pix_fmt', 'gbrp', '-f', 'rawvideo', '-'],
    { encoding: 'buffer', maxBuffer: 100 * 1024 * 1024 },
  )
  for (const frame of frames) {
    const number = Math.round((frame.capturedAt - STARTS_AT) / 40)
    const bytes = 320 * 240 * 3
    t.equal(Buffer.compare(frame.planes, stdout.subarray(number * bytes, (number + 1) * bytes)), 0)
  }
})

await t.test('fewer frames a second are the first of each interval', async (t) => {
  const frames = await Array.fromAsync(decodeFrames(clip, { ...options, fps: 5 }, never))
  t.same(
    frames.map((frame) => [frame.sequence, frame.capturedAt - STARTS_AT]),
    [1_520, 1_720, 1_920, 2_120, 2_320, 2_520, 2_720, 2_920].map((at, i) => [i, at]),
  )
})

await t.test('the same frames come as they are coded, and say how', async (t) => {
  const [frames, asCoded] = await Promise.all(
    [decodeFrames, decodeVideoFrames].map((decode) => Array.fromAsync(decode(clip, options, never))),
  )
  const times = (list: typeof frames) => list?.map(({ sequence, capturedAt }) => [sequence, capturedAt])
  t.same(times(asCoded), times(frames))
  t.match(
    asCoded?.[0],
    { format: 'yuv420p', matrix: 'smpte170m', cameraId: 'north' },
    'as players take it for',
  )

  const ranges = ['tv', 'pc'] as const
  const [limited = [], full = []] = await Promise.all(
    ranges.map(async (range) => {
      const colours = { matrix: 'bt470bg', range } as const
      const file = await renderVideo(join(folder, `${range}.mp4`), { seconds: 4, size: '320x240', colours })
      return Array.fromAsync(decodeVideoFrames(await clipOf(1_500, 3_000, file), options, never))
    }),
  )
  t.equal(limited[0]?.matrix, 'bt470bg', 'as the camera says')
  // What a camera codes in all values shows as the same picture in the limited range.
  const mean = full[0]?.planes.reduce(
    (sum, value, i, { length }) => sum + Math.abs(value - (limited[0]?.planes[i] ?? 0)) / length,
    0,
  )
  t.ok(mean !== undefined && mean < 3, `${mean}`)
})

await t.test('damaged video is an error, wherever the damage is', async (t) => {
  for (const share of [0.3, 0.5, 0.7, 0.9]) {
    const bytes = Uint8Array.from(clip.bytes)
    const at = Math.floor(bytes.length * share)
    bytes.fill(0xa5, at, at + 300)
    await t.rejects(Array.fromAsync(decodeFrames({ ...clip, bytes }, options, never)), {
      code: 'ERR_DECODE_FAILED',
    })
  }
  const noise = { ...clip, bytes: new Uint8Array(5_000) }
  await t.rejects(Array.fromAsync(decodeFrames(noise, options, never)), { code: 'ERR_DECODE_FAILED' })
})

await t.test('a picture that is too large is refused before it is decoded', async (t) => {
  const large = { ...clip, width: 7_680, height: 4_320 }
  await t.rejects(Array.fromAsync(decodeFrames(large, options, never)), { code: 'ERR_FRAME_TOO_LARGE' })
})

await t.test('leaving the loop early ends the decoder', async (t) => {
  for await (const frame of decodeFrames(clip, options, never)) {
    t.equal(frame.sequence, 0)
    t.equal(ownFfmpegs().length, 1)
    break
  }
  t.same(ownFfmpegs(), [])
})

await t.test('aborting ends it with the reason', async (t) => {
  const stop = new AbortController()
  await t.rejects(
    (async () => {
      for await (const frame of decodeFrames(clip, options, stop.signal)) {
        stop.abort(new Error(`no more than ${frame.sequence}`))
      }
    })(),
    { message: 'no more than 0' },
  )
  await until('the decoder is gone', () => ownFfmpegs().length === 0)
  await t.rejects(Array.fromAsync(decodeFrames(clip, options, stop.signal)), { message: 'no more than 0' })
})
