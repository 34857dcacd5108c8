import t from 'tap'
import type { MatroskaHeader } from '../../src/camera/matroska.ts'
import { type Packet, type PacketClip, PacketRing } from '../../src/camera/packet-ring.ts'
import { readMatroska } from '../../src/camera/matroska.ts'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { renderVideo } from '../support/video.ts'

const T0 = Date.UTC(2026, 2, 1)
const header = await realHeader()

async function realHeader(): Promise<MatroskaHeader> {
  const video = await renderVideo(join(t.testdir(), 'tiny.mp4'), { seconds: 1 })
  const { stdout } = await promisify(execFile)(
    'ffmpeg',
    ['-v', 'error', '-i', video, '-c', 'copy', '-f', 'matroska', '-'],
    { encoding: 'buffer', maxBuffer: 8 * 1024 * 1024 },
  )
  for await (const part of readMatroska(
    (async function* () {
      yield stdout
    })(),
    1e6,
  )) {
    if (part.kind === 'header') return part
  }
  throw new Error('no header')
}

/** A packet every 100 ms, a key frame every second; its content says when it was. */
function packet(ms: number, bytes = 100): Packet {
  const data = Buffer.alloc(bytes)
  data.writeDoubleLE(ms)
  return { pts: ms, key: ms % 1000 === 0, data }
}

function fill(ring: PacketRing, fromMs: number, toMs: number, bytes?: number): void {
  for (let ms = fromMs; ms < toMs; ms += 100) ring.add(packet(ms, bytes), T0)
}

function newRing(preRollMs = 3_000, maxBytes = 1e6): PacketRing {
  const ring = new PacketRing({ preRollMs, maxBytes })
  ring.begin(header)
  return ring
}

/** Capture times of a clip's pictures, read from the file that it is, and checked against their content. */
async function timesIn(clip: PacketClip): Promise<number[]> {
  const times: number[] = []
  for await (const part of readMatroska(
    (async function* () {
      yield clip.bytes
    })(),
    1e6,
  )) {
    if (part.kind !== 'block') continue
    times.push(clip.anchor + part.pts - T0)
    const shown = Buffer.from(part.data).readDoubleLE()
    if (shown !== times.at(-1))
      throw new Error(`the picture of ${shown} ms has the time ${times.at(-1) ?? NaN}`)
  }
  return times
}

const seconds = (from: number, to: number): number[] =>
  Array.from({ length: Math.round((to - from) * 10) + 1 }, (_, i) => from * 1000 + i * 100)

await t.test('a clip begins at the key frame at or before the span and ends with it', async (t) => {
  const ring = newRing()
  fill(ring, 0, 5_000)
  const clip = ring.clip(T0 + 2_300, T0 + 3_450)
  t.same(await timesIn(clip), seconds(2, 3.4))
  t.match(clip, { width: 640, height: 352 })
})

await t.test('what is older than the pre-roll goes, at key frames', async (t) => {
  const ring = newRing(3_000)
  fill(ring, 0, 60_000)
  t.equal(ring.spanAt(T0 + 54_900), undefined)
  t.same(ring.spanAt(T0 + 57_500), { fromMs: T0 + 57_000, toMs: T0 + 59_800 })
  t.ok(ring.bytes <= 5_000, `${ring.bytes} bytes`)
  t.throws(() => ring.clip(T0 + 54_900, T0 + 58_000), { code: 'ERR_PACKETS_GONE' })
})

await t.test('a held span stays for as long as it is held, and nothing else does', async (t) => {
  const ring = newRing(3_000)
  fill(ring, 0, 3_000)
  const hold = ring.hold(T0 + 1_200, T0 + 2_200)
  fill(ring, 3_000, 600_000)
  t.same(await timesIn(ring.clip(T0 + 1_200, T0 + 2_200)), seconds(1, 2.2))
  t.throws(() => ring.clip(T0 + 1_200, T0 + 10_000), { code: 'ERR_PACKETS_GONE' }, 'there is a gap')
  t.ok(ring.bytes <= 7_000, `${ring.bytes} bytes`)
  hold[Symbol.dispose]()
  t.equal(ring.spanAt(T0 + 1_200), undefined)
})

await t.test('a span can be held before it comes', async (t) => {
  const ring = newRing(2_000)
  fill(ring, 0, 1_000)
  const hold = ring.hold(T0 + 5_000, T0 + 6_000)
  fill(ring, 1_000, 30_000)
  t.same(await timesIn(ring.clip(T0 + 5_000, T0 + 6_000)), seconds(5, 6))
  hold[Symbol.dispose]()
})

await t.test('beyond the byte limit the oldest unheld goes first, then the oldest held', async (t) => {
  const ring = newRing(60_000, 100_000) // 10,000 bytes a second
  fill(ring, 0, 3_000, 1_000)
  const holds = [ring.hold(T0, T0 + 1_900)]
  fill(ring, 3_000, 15_000, 1_000)
  t.ok(ring.bytes <= 100_000)
  t.equal(ring.spanAt(T0 + 2_500), undefined)
  t.same(await timesIn(ring.clip(T0, T0 + 1_900)), seconds(0, 1.9))
  holds.push(ring.hold(T0, Infinity))
  fill(ring, 15_000, 30_000, 1_000)
  t.ok(ring.bytes <= 100_000)
  t.equal(holds.length, 2)
  t.throws(() => ring.clip(T0, T0 + 1_000), { code: 'ERR_PACKETS_GONE' })
})

await t.test('a camera that never sends a second key frame does not fill the memory', async (t) => {
  const ring = newRing(3_000, 50_000)
  for (let ms = 0; ms < 60_000; ms += 100) ring.add({ ...packet(ms, 1_000), key: ms === 0 }, T0)
  t.ok(ring.bytes <= 50_000)
})

await t.test('video of two connections, or of two time lines, is not put into one clip', async (t) => {
  const ring = newRing(60_000)
  fill(ring, 0, 2_000)
  ring.begin(header)
  fill(ring, 2_000, 4_000)
  t.same(ring.spanAt(T0 + 500), { fromMs: T0, toMs: T0 + 1_900 })
  t.throws(() => ring.clip(T0 + 500, T0 + 3_000), { code: 'ERR_PACKETS_GONE' })
  t.same(await timesIn(ring.clip(T0 + 2_500, T0 + 3_000)), seconds(2, 3))
  for (let ms = 4_000; ms < 6_000; ms += 100) ring.add(packet(ms), T0 + 5_000)
  t.throws(() => ring.clip(T0 + 3_000, T0 + 9_500), { code: 'ERR_PACKETS_GONE' })
  t.equal(ring.clip(T0 + 9_500, T0 + 10_000).anchor, T0 + 9_000)
})

await t.test('pictures sent out of order are complete only when their whole group is in', async (t) => {
  const ring = newRing()
  const order = [0, 400, 200, 100, 300, 800, 600]
  for (const ms of order) ring.add({ ...packet(ms), key: ms === 0 }, T0)
  t.same(ring.spanAt(T0), { fromMs: T0, toMs: T0 + 400 })
  t.same(
    (await timesIn(ring.clip(T0, T0 + 300))).toSorted((a, b) => a - b),
    [0, 100, 200, 300, 400],
  )
})

await t.test('pictures that lean on video before the clip are left out of it', async (t) => {
  const ring = newRing()
  fill(ring, 0, 1_000)
  // An open group: these two come after the key frame and are shown before it.
  for (const ms of [1_000, 960, 980, 1_040, 1_080]) ring.add({ ...packet(ms), key: ms === 1_000 }, T0)
  t.same(await timesIn(ring.clip(T0 + 1_000, T0 + 1_040)), [1_000, 1_040])
})

await t.test('waiting ends when the video is in, when the stream ends, or when it is aborted', async (t) => {
  const ring = newRing()
  const never = new AbortController().signal
  let done = false
  const waiting = ring.waitFor(T0 + 1_500, never).then(() => (done = true))
  fill(ring, 0, 1_600)
  await new Promise(setImmediate)
  t.notOk(done)
  fill(ring, 1_600, 1_700)
  await waiting

  const cut = ring.waitFor(T0 + 60_000, never)
  ring.end()
  await cut
  await ring.waitFor(T0 + 60_000, never)
  t.same(ring.spanAt(T0), { fromMs: T0, toMs: T0 + 1_600 }, 'the last picture counts now')

  ring.begin(header)
  const stop = new AbortController()
  const aborted = ring.waitFor(T0 + 60_000, stop.signal)
  stop.abort(new Error('stop'))
  await t.rejects(aborted, { message: 'stop' })
})

await t.test('video from before the clock was set back does not stay', async (t) => {
  const ring = newRing(3_000)
  fill(ring, 100_000, 103_000)
  ring.begin(header)
  for (let ms = 0; ms < 2_000; ms += 100) ring.add(packet(ms), T0)
  t.equal(ring.spanAt(T0 + 101_000), undefined)
})

await t.test(
  'whoever waits is let go by a step of the clock, and can wait for what comes after it',
  async (t) => {
    for (const stepMs of [-3_600_000, 3_600_000]) {
      const ring = newRing()
      fill(ring, 0, 3_000)
      const before = ring.waitFor(T0 + 4_000, AbortSignal.timeout(2_000))
      ring.add(packet(3_000), T0 + stepMs)
      await t.resolves(before, 'nothing more comes on the old time line')

      let isIn = false
      const after = ring.waitFor(T0 + stepMs + 3_500, AbortSignal.timeout(2_000)).then(() => (isIn = true))
      await new Promise((resolve) => setImmediate(resolve))
      t.notOk(isIn, 'the new time line is waited for')
      for (let ms = 3_100; ms < 4_000; ms += 100) ring.add(packet(ms), T0 + stepMs)
      await after
      t.equal(ring.clip(T0 + stepMs + 3_000, T0 + stepMs + 3_500).anchor, T0 + stepMs + 3_000)
    }
  },
)
