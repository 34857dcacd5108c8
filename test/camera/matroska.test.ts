import { readFile, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { type MatroskaPart, readMatroska } from '../../src/camera/matroska.ts'
import { writeMatroska } from '../../src/camera/matroska-writer.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { renderVideo } from '../support/video.ts'

const run = promisify(execFile)
const MAX_BLOCK = 1024 * 1024

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function readAll(bytes: Uint8Array, chunk = 4096): Promise<MatroskaPart[]> {
  return await Array.fromAsync(readMatroska(inChunks(bytes, chunk), MAX_BLOCK))
}

/** What ffmpeg writes into a pipe. */
async function piped(video: string): Promise<Uint8Array> {
  const args = ['-v', 'error', '-i', video, '-c', 'copy', '-cluster_time_limit', '1', '-f', 'matroska', '-']
  const { stdout } = await run('ffmpeg', args, { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

/** Numbers that look random and are the same in every run. */
function* pseudoRandom(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state / 2 ** 32
  }
}

const folder = t.testdir()
const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 3 })
const stream = await piped(video)

await t.test('it reads what ffmpeg writes, however the pipe cuts it', async (t) => {
  for (const chunk of [1, 7, 65_536]) {
    const [header, ...blocks] = await readAll(stream, chunk)
    t.match(header, { kind: 'header', width: 640, height: 352, nominalFps: 25 })
    t.equal(blocks.length, 75)
    const times = blocks.map((part) => (part.kind === 'block' ? part.pts : NaN)).sort((a, b) => a - b)
    t.same(times.slice(0, 4), [0, 40, 80, 120])
    t.equal(blocks.filter((part) => part.kind === 'block' && part.key).length, 3)
  }
})

await t.test('what the writer makes of the parts is the same video', async (t) => {
  const [header, ...blocks] = await readAll(stream)
  if (header?.kind !== 'header') throw new Error('no header')
  const copy = writeMatroska(
    header.bytes,
    blocks.filter((part) => part.kind === 'block'),
  )
  t.same((await readAll(copy)).slice(1), blocks)
  const file = join(folder, 'copy.mkv')
  await writeFile(file, copy)
  const hash = async (name: string): Promise<string> =>
    (await run('ffmpeg', ['-v', 'error', '-i', name, '-f', 'md5', '-'])).stdout
  t.equal(await hash(file), await hash(video), 'decodes to the same pictures')
})

await t.test(
  'a stream cut off anywhere ends with a coded error or at a block, never with a wrong block',
  async (t) => {
    const whole = await readAll(stream)
    for (let length = 0; length < stream.length; length += 997) {
      const parts: MatroskaPart[] = []
      try {
        for await (const part of readMatroska(inChunks(stream.subarray(0, length), 4096), MAX_BLOCK))
          parts.push(part)
      } catch (error) {
        if (!isRoadveilError(error, 'ERR_CAMERA_ENDED') && !isRoadveilError(error, 'ERR_CAMERA_GARBAGE'))
          throw error
      }
      t.ok(isPrefix(parts, whole), `cut at ${length}`)
    }
  },
)

function isPrefix(parts: readonly MatroskaPart[], whole: readonly MatroskaPart[]): boolean {
  return parts.every((part, i) => {
    const original = whole[i]
    if (part.kind !== 'block' || original?.kind !== 'block') return part.kind === original?.kind
    return part.pts === original.pts && Buffer.compare(part.data, original.data) === 0
  })
}

await t.test('damaged bytes give blocks within the limits or a coded error', async (t) => {
  const random = pseudoRandom(7)
  let refused = 0
  for (let round = 0; round < 300; round++) {
    const damaged = Uint8Array.from(stream.subarray(0, 60_000))
    const where = round % 2 === 0 ? 400 : damaged.length
    for (let i = 0; i < 5; i++) {
      damaged[Math.floor(random.next().value * where)] = Math.floor(random.next().value * 256)
    }
    try {
      for await (const part of readMatroska(inChunks(damaged, 4096), MAX_BLOCK)) {
        if (part.kind === 'block' && part.data.length > MAX_BLOCK + 16)
          throw new Error('a block beyond the limit')
      }
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      refused++
    }
  }
  t.ok(refused > 50, `${refused} of 300 refused`)
})

await t.test('noise is refused at its first bytes', async (t) => {
  const random = pseudoRandom(3)
  for (let round = 0; round < 200; round++) {
    const noise = Uint8Array.from({ length: 5000 }, () => Math.floor(random.next().value * 256))
    await t.rejects(readAll(noise), { code: 'ERR_CAMERA_GARBAGE' })
  }
})

await t.test('a size beyond the limit is refused before anything is read for it', async (t) => {
  const [header] = await readAll(stream)
  if (header?.kind !== 'header') throw new Error('no header')
  let asked = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    if (header?.kind !== 'header') return
    yield header.bytes
    // A cluster, its time, and a block that claims 2^48 bytes.
    yield Uint8Array.of(0x1f, 0x43, 0xb6, 0x75, 0xff, 0xe7, 0x81, 0, 0xa3, 0x01, 1, 0, 0, 0, 0, 0, 0)
    for (;;) {
      asked++
      yield new Uint8Array(65_536)
    }
  }
  await t.rejects(Array.fromAsync(readMatroska(endless(), MAX_BLOCK)), { code: 'ERR_CAMERA_GARBAGE' })
  t.equal(asked, 0)
})

await t.test('an endless header is refused', async (t) => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    const [header] = await readAll(stream)
    if (header?.kind === 'header') yield header.bytes
    const padding = new Uint8Array(4 + 60_000)
    padding.set([0xec, 0x20, 0xea, 0x60]) // a void of 60,000 bytes
    for (;;) yield padding
  }
  await t.rejects(Array.fromAsync(readMatroska(endless(), MAX_BLOCK)), { code: 'ERR_CAMERA_GARBAGE' })
})

await t.test('a file with a known size is not what ffmpeg pipes', async (t) => {
  const file = join(folder, 'seekable.mkv')
  await run('ffmpeg', ['-v', 'error', '-i', video, '-c', 'copy', file])
  await t.rejects(readAll(await readFile(file)), { code: 'ERR_CAMERA_GARBAGE' })
})
