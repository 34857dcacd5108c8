import t from 'tap'
import { encodeFrame, FRAME_LIMITS, readFrames } from '../../src/channel/framing.ts'
import type { Frame } from '../../src/channel/framing.ts'
import { isRoadveilError } from '../../src/errors.ts'

/** Reads all frames of the bytes, given in chunks of the size. */
async function readAll(bytes: Uint8Array, chunkBytes = 65_536): Promise<Frame[]> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  return Array.fromAsync(readFrames(chunks()))
}

function header(json: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(Buffer.byteLength(json))
  return Buffer.concat([length, Buffer.from(json)])
}

/** A small repeatable random number generator (mulberry32), so that a failure can be run again. */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

await t.test('frames arrive as they were sent, however the bytes are cut', async (t) => {
  const frames: Frame[] = [
    { message: { type: 'a', text: 'ä' }, parts: [] },
    { message: { type: 'b' }, parts: [Buffer.from('one'), Buffer.alloc(100_000, 7)] },
    { message: null, parts: [Buffer.from('x')] },
  ]
  const bytes = Buffer.concat(frames.flatMap(encodeFrame))
  for (const chunkBytes of [1, 3, 4, 1000, bytes.length]) {
    t.same(await readAll(bytes, chunkBytes), frames)
  }
})

await t.test('what is not a frame is refused with its code', async (t) => {
  const bad: Record<string, Buffer> = {
    'an empty header': header(''),
    'a header that is too long': Buffer.from([0xff, 0xff, 0xff, 0xff]),
    'no JSON': header('{"message":1,'),
    'not UTF-8': Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from([0xc3, 0x28])]),
    'no object': header('[]'),
    'no parts': header('{"message":1}'),
    'one key more': header('{"message":1,"parts":[],"more":1}'),
    'a part of no bytes': header('{"message":1,"parts":[0]}'),
    'a part of minus one byte': header('{"message":1,"parts":[-1]}'),
    'half a byte': header('{"message":1,"parts":[0.5]}'),
    'a size in words': header('{"message":1,"parts":["1"]}'),
    'too many parts': header(`{"message":1,"parts":[${Array(33).fill(1).join()}]}`),
    'parts that are too long': header(`{"message":1,"parts":[${FRAME_LIMITS.partsBytes},1]}`),
    'a prototype': header('{"message":{"__proto__":{"admin":true}},"parts":[]}'),
    'a hidden prototype': header('{"message":{"\\u005f_proto__":{"admin":true}},"parts":[]}'),
    'endless nesting': header(`{"message":${'['.repeat(500_000)}${']'.repeat(500_000)},"parts":[]}`),
  }
  for (const [name, bytes] of Object.entries(bad)) {
    await t.rejects(readAll(bytes), { code: 'ERR_CHANNEL_MESSAGE' }, name)
  }
  t.equal(Reflect.get({}, 'admin'), undefined)
})

await t.test('a frame beyond the limits is not sent', async (t) => {
  const parts = Array.from({ length: 33 }, () => Buffer.from('x'))
  t.throws(() => encodeFrame({ message: 1, parts }), { code: 'ERR_CHANNEL_MESSAGE' })
  const message = 'x'.repeat(FRAME_LIMITS.headerBytes)
  t.throws(() => encodeFrame({ message, parts: [] }), { code: 'ERR_CHANNEL_MESSAGE' })
})

await t.test('a thousand damaged streams give coded errors or frames and nothing else', async (t) => {
  const good = Buffer.concat(
    [
      { message: { type: 'evidence', facts: { a: [1, 2, { b: 'c' }] } }, parts: [Buffer.alloc(300, 1)] },
      { message: { type: 'stats' }, parts: [] },
    ].flatMap(encodeFrame),
  )
  const outcomes = new Map<string, number>()
  for (let seed = 0; seed < 1000; seed++) {
    const random = randomFrom(seed)
    const below = (most: number): number => Math.floor(random() * most)
    let bytes: Buffer = Buffer.from(good)
    const kind = seed % 4
    if (kind === 0) bytes = Buffer.from(Array.from({ length: below(200) }, () => below(256)))
    if (kind === 1) bytes = bytes.subarray(0, below(bytes.length))
    if (kind === 2) for (let i = 0; i < 3; i++) bytes[below(bytes.length)] = below(256)
    if (kind === 3)
      bytes = Buffer.concat([bytes.subarray(0, below(bytes.length)), bytes.subarray(below(100))])
    const outcome = await readAll(bytes, 1 + below(500)).then(
      () => 'frames',
      (error: unknown) => (isRoadveilError(error) ? error.code : String(error)),
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  t.same([...outcomes.keys()].sort(), ['ERR_CHANNEL_CLOSED', 'ERR_CHANNEL_MESSAGE', 'frames'])
})
