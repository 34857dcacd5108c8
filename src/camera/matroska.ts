import { RoadveilError } from '../errors.ts'
import { RecordingReader } from './recording-reader.ts'

/**
 * A streaming reader for the Matroska that ffmpeg writes into a pipe: one video track, a segment of unknown size,
 * SimpleBlocks without lacing, timestamps in milliseconds. Everything else is refused, and nothing is read into memory
 * before its size was checked. Element ids and layouts: RFC 9559, sizes and ids as EBML variable-length integers: RFC 8794.
 */

/** What comes before the first cluster. */
export interface MatroskaHeader {
  readonly kind: 'header'
  /** EBML header, segment (of unknown size), info and tracks, as they came. Clusters can be appended. */
  readonly bytes: Uint8Array
  /** Pixels of the video track. */
  readonly width: number
  /** Pixels of the video track. */
  readonly height: number
  /** Frames per second that the track claims. */
  readonly nominalFps: number | undefined
  /** Of ITU-T H.273, table 4: how its colours are coded, where the track says so. */
  readonly matrixNumber: number | undefined
}

/** What the header says of the track. */
type Track = Omit<MatroskaHeader, 'kind' | 'bytes'>

/** One coded or raw picture. */
export interface MatroskaBlock {
  readonly kind: 'block'
  /** Presentation time, milliseconds. */
  readonly pts: number
  /** Decodable without the ones before. */
  readonly key: boolean
  readonly data: Uint8Array
}

export type MatroskaPart = MatroskaHeader | MatroskaBlock

const ID = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  defaultDuration: 0x23e383,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  colour: 0x55b0,
  matrixCoefficients: 0x55b1,
  tags: 0x1254c367,
  cues: 0x1c53bb6b,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  position: 0xa7,
  prevSize: 0xab,
  void: 0xec,
  crc32: 0xbf,
} as const

/** Elements that may stand anywhere and mean nothing here. */
const SKIPPED: ReadonlySet<number> = new Set([
  ID.seekHead,
  ID.tags,
  ID.cues,
  ID.void,
  ID.crc32,
  ID.position,
  ID.prevSize,
])
const MAX_HEADER_BYTES = 1024 * 1024
const UNKNOWN_SIZE = -1

/**
 * Reads one stream to its end.
 *
 * @param maxBlockBytes the largest picture that is accepted
 * @throws {RoadveilError} ERR_CAMERA_GARBAGE for anything that ffmpeg would not write, ERR_CAMERA_ENDED when the stream
 *   ends inside an element or before the first cluster
 */
export async function* readMatroska(
  source: AsyncIterable<Uint8Array>,
  maxBlockBytes: number,
): AsyncGenerator<MatroskaPart, void, undefined> {
  const bytes = new RecordingReader(source)
  try {
    yield await readHeader(bytes)
    // The children of a cluster are read as if they followed it: its size says nothing that they do not say themselves.
    let clusterPts: number | undefined
    for (;;) {
      const id = await readId(bytes)
      if (id === undefined) return
      const size = await readSize(bytes)
      if (id === ID.cluster) {
        clusterPts = undefined
      } else if (id === ID.timestamp) {
        clusterPts = unsigned(await bytes.takeAll(bounded(size, 8)))
      } else if (id === ID.simpleBlock) {
        if (clusterPts === undefined) throw garbage('a block without a cluster time')
        yield parseBlock(await bytes.takeAll(bounded(size, maxBlockBytes + 16)), clusterPts)
      } else if (SKIPPED.has(id)) {
        await bytes.takeAll(bounded(size, MAX_HEADER_BYTES))
      } else {
        throw garbage(`an unexpected element ${id.toString(16)}`)
      }
    }
  } finally {
    await bytes.close()
  }
}

/** Reads up to and including the head of the first cluster. */
async function readHeader(bytes: RecordingReader): Promise<MatroskaHeader> {
  bytes.record(MAX_HEADER_BYTES)
  const first = await readId(bytes)
  if (first === undefined) throw endedEarly()
  if (first !== ID.ebml) throw garbage('no EBML header')
  await bytes.takeAll(bounded(await readSize(bytes), 1024))
  if ((await readId(bytes)) !== ID.segment) throw garbage('no segment')
  if ((await readSize(bytes)) !== UNKNOWN_SIZE) throw garbage('a segment of fixed size')

  let track: Track | undefined
  for (;;) {
    const headerEnd = bytes.recorded
    const id = await readId(bytes)
    if (id === undefined) throw endedEarly()
    const size = await readSize(bytes)
    if (id === ID.cluster) {
      if (!track) throw garbage('no video track')
      return { kind: 'header', bytes: bytes.recording().slice(0, headerEnd), ...track }
    }
    const body = await bytes.takeAll(bounded(size, MAX_HEADER_BYTES))
    if (id === ID.tracks) track = parseTracks(body)
    else if (id === ID.info) checkInfo(body)
    else if (!SKIPPED.has(id)) throw garbage(`an unexpected element ${id.toString(16)} in the header`)
  }
}

/** All times here are in milliseconds, which is Matroska's default scale and the only one ffmpeg writes for video. */
function checkInfo(body: Uint8Array): void {
  for (const element of elements(body)) {
    if (element.id === ID.timestampScale && unsigned(element.body) !== 1_000_000)
      throw garbage('another time scale')
  }
}

function parseTracks(body: Uint8Array): Track {
  let width = 0
  let height = 0
  let nominalFps: number | undefined
  let matrixNumber: number | undefined
  for (const entry of elements(body)) {
    if (entry.id !== ID.trackEntry) continue
    for (const element of elements(entry.body)) {
      if (element.id === ID.defaultDuration) {
        const nanoseconds = unsigned(element.body)
        if (nanoseconds > 0) nominalFps = 1e9 / nanoseconds
      }
      if (element.id !== ID.video) continue
      for (const { id, body: value } of elements(element.body)) {
        if (id === ID.pixelWidth) width = unsigned(value)
        if (id === ID.pixelHeight) height = unsigned(value)
        if (id === ID.colour) matrixNumber = parseColour(value)
      }
    }
  }
  if (width < 1 || height < 1 || width > 16_384 || height > 16_384) throw garbage('no usable picture size')
  return { width, height, nominalFps, matrixNumber }
}

function parseColour(body: Uint8Array): number | undefined {
  for (const element of elements(body))
    if (element.id === ID.matrixCoefficients) return unsigned(element.body)
  return undefined
}

function parseBlock(body: Uint8Array, clusterPts: number): MatroskaBlock {
  // Track number 1 as a one-byte integer, signed 16-bit time relative to the cluster, flags.
  if (body.length < 4 || body[0] !== 0x81) throw garbage('a block of another track')
  const flags = body[3] ?? 0
  if ((flags & 0x06) !== 0) throw garbage('a laced block')
  const relative = new DataView(body.buffer, body.byteOffset).getInt16(1)
  return { kind: 'block', pts: clusterPts + relative, key: (flags & 0x80) !== 0, data: body.subarray(4) }
}

/** The children of an element that is in memory. */
function* elements(body: Uint8Array): Generator<{ readonly id: number; readonly body: Uint8Array }> {
  let at = 0
  while (at < body.length) {
    const idLength = lengthOf(body[at] ?? 0, 4)
    const id = unsigned(body.subarray(at, at + idLength))
    at += idLength
    const sizeLength = lengthOf(body[at] ?? 0, 8)
    const size = sizeValue(body.subarray(at, at + sizeLength))
    at += sizeLength
    if (size < 0 || at + size > body.length) throw garbage('an element larger than its parent')
    yield { id, body: body.subarray(at, at + size) }
    at += size
  }
}

/** The next element's id, marker bits included, or undefined at the end of the stream. */
async function readId(bytes: RecordingReader): Promise<number | undefined> {
  const [first] = (await bytes.take(1)) ?? []
  if (first === undefined) return undefined
  const rest = await bytes.takeAll(lengthOf(first, 4) - 1)
  return rest.reduce((value, byte) => value * 256 + byte, first)
}

async function readSize(bytes: RecordingReader): Promise<number> {
  const [first = 0] = await bytes.takeAll(1)
  const rest = await bytes.takeAll(lengthOf(first, 8) - 1)
  return sizeValue(Uint8Array.of(first, ...rest))
}

/** A size without its marker bit; all ones means unknown. */
function sizeValue(bytes: Uint8Array): number {
  const mask = 0xff >> bytes.length
  const first = (bytes[0] ?? 0) & mask
  const rest = bytes.subarray(1)
  if (first === mask && rest.every((byte) => byte === 0xff)) return UNKNOWN_SIZE
  return rest.reduce((value, byte) => value * 256 + byte, first)
}

/** How many bytes a variable-length integer has, from its first byte. */
function lengthOf(first: number, max: number): number {
  const length = Math.clz32(first) - 23
  if (length > max) throw garbage('a malformed integer')
  return length
}

function unsigned(bytes: Uint8Array): number {
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  if (!Number.isSafeInteger(value)) throw garbage('an integer out of range')
  return value
}

function bounded(size: number, max: number): number {
  if (size < 0 || size > max) throw garbage(`an element of ${size} bytes`)
  return size
}

function endedEarly(): RoadveilError {
  return new RoadveilError('ERR_CAMERA_ENDED', 'the stream ended before its first picture')
}

function garbage(what: string): RoadveilError {
  return new RoadveilError('ERR_CAMERA_GARBAGE', `the video stream holds ${what}`)
}
