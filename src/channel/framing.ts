import { ByteReader } from '../byte-reader.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'

/**
 * Frames of the channel between vision and vault: a 32-bit big-endian length, that many bytes of JSON header, then the
 * binary parts whose sizes the header announces: `{"message": …, "parts": [bytes, …]}`.
 */

/** What a frame may hold at most; more ends the connection. */
export const FRAME_LIMITS = {
  headerBytes: 8 * 1024 * 1024,
  /** All parts of one frame together. */
  partsBytes: 64 * 1024 * 1024,
  parts: 32,
} as const

const LENGTH_BYTES = 4

/** One message with its binary parts. */
export interface Frame {
  readonly message: unknown
  readonly parts: readonly Uint8Array[]
}

/**
 * The bytes of a frame, in order; the parts are in it as they are, not copied.
 *
 * @throws ERR_CHANNEL_MESSAGE if the frame is beyond the limits.
 */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const parts = frame.parts.map((part) => part.byteLength)
  checkParts(parts)
  const header = Buffer.from(JSON.stringify({ message: frame.message, parts }))
  checkHeaderLength(header.byteLength)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(header.byteLength)
  return [length, header, ...frame.parts]
}

/**
 * Yields the frames of a byte stream. It reads on only when the next frame is asked for, so a slow consumer slows the
 * sender down, and it holds one frame at most.
 *
 * @throws ERR_CHANNEL_MESSAGE at the first byte that cannot belong to a frame, ERR_CHANNEL_CLOSED if the stream ends
 * or breaks within a frame.
 */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void, undefined> {
  const bytes = new ByteReader(source, endedWithin)
  try {
    for (;;) {
      const length = await bytes.take(LENGTH_BYTES)
      if (!length) return
      const headerBytes = new DataView(length.buffer).getUint32(0)
      checkHeaderLength(headerBytes)
      const { message, sizes } = parseHeader(await bytes.takeAll(headerBytes))
      const parts: Uint8Array[] = []
      for (const size of sizes) parts.push(await bytes.takeAll(size))
      yield { message, parts }
    }
  } finally {
    await bytes.close()
  }
}

function checkHeaderLength(bytes: number): void {
  if (bytes === 0 || bytes > FRAME_LIMITS.headerBytes) {
    throw new RoadveilError('ERR_CHANNEL_MESSAGE', `a header of ${bytes} bytes is outside the limits`)
  }
}

function checkParts(sizes: readonly unknown[]): asserts sizes is readonly number[] {
  let total = 0
  for (const size of sizes) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) {
      throw new RoadveilError('ERR_CHANNEL_MESSAGE', 'a part has no valid size')
    }
    total += size
  }
  if (sizes.length > FRAME_LIMITS.parts || total > FRAME_LIMITS.partsBytes) {
    throw new RoadveilError(
      'ERR_CHANNEL_MESSAGE',
      `${sizes.length} parts of ${total} bytes are outside the limits`,
    )
  }
}

function parseHeader(bytes: Uint8Array): { message: unknown; sizes: readonly number[] } {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes), refusePrototype)
  } catch (error) {
    // Without the cause: a parser's message quotes the text, and the text may hold a plate.
    if (isRoadveilError(error)) throw error
    throw new RoadveilError('ERR_CHANNEL_MESSAGE', 'a header is not JSON')
  }
  if (!isHeader(header)) throw new RoadveilError('ERR_CHANNEL_MESSAGE', 'a header has the wrong form')
  checkParts(header.parts)
  return { message: header.message, sizes: header.parts }
}

function isHeader(value: unknown): value is { message: unknown; parts: unknown[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length === 2 &&
    'message' in value &&
    'parts' in value &&
    Array.isArray(value.parts)
  )
}

/** A key that would reach an object's prototype when copied is never part of a message. */
function refusePrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new RoadveilError('ERR_CHANNEL_MESSAGE', 'a header names a prototype')
  return value
}

function endedWithin(cause?: unknown): RoadveilError {
  return cause === undefined
    ? new RoadveilError('ERR_CHANNEL_CLOSED', 'the connection ended within a message')
    : new RoadveilError('ERR_CHANNEL_CLOSED', 'the connection broke', { cause })
}
