import { PAGE_BYTES } from './page.ts'

/**
 * The write-ahead log (https://sqlite.org/fileformat2.html#walformat). SQLite takes the first frame whose check sum is wrong for
 * the end of the log, because after a power cut it is: what was committed behind a damaged frame is gone without a word.
 */

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
const MAGIC_LITTLE = 0x377f0682
const MAGIC_BIG = 0x377f0683
const CHECK_SUM_AT = 24
const SALTS_AT = 16

type Sum = readonly [number, number]

/** True where a commit of this log stands behind a frame that is not what was written. A log that was cut off while it was written has none. */
export function isWalDamaged(wal: Buffer): boolean {
  if (wal.length < HEADER_BYTES + FRAME_BYTES) return false
  const isLittle = littleOf(wal)
  const salts = saltsOf(wal)
  if (isLittle === undefined || !headerFits(wal)) return lastCommit(wal, salts) >= 0
  let sum = headerSum(wal)
  for (let frame = 0; frame < frameCount(wal); frame++) {
    const next = hasSalts(wal, frame, salts) ? frameSum(wal, frame, sum, isLittle) : undefined
    if (!next || !sumFits(wal, frame, next)) return lastCommit(wal, salts) > frame
    sum = next
  }
  return false
}

/** The pages that the log holds up to its last commit, the latest of each; whether they are what was written the cipher tells. */
export function pagesInWal(wal: Buffer): Map<number, Buffer> {
  const salts = saltsOf(wal)
  const frames = Array.from({ length: lastCommit(wal, salts) + 1 }, (_, frame) =>
    wal.subarray(frameAt(frame), frameAt(frame + 1)),
  )
  return new Map(frames.map((frame) => [frame.readUInt32BE(0), frame.subarray(FRAME_HEADER_BYTES)]))
}

const frameAt = (frame: number): number => HEADER_BYTES + frame * FRAME_BYTES
const frameCount = (wal: Buffer): number => Math.floor((wal.length - HEADER_BYTES) / FRAME_BYTES)

function littleOf(wal: Buffer): boolean | undefined {
  const magic = wal.readUInt32BE(0)
  return magic === MAGIC_LITTLE ? true : magic === MAGIC_BIG ? false : undefined
}

function headerFits(wal: Buffer): boolean {
  const isLittle = littleOf(wal)
  if (isLittle === undefined) return false
  const [a, b] = addTo([0, 0], wal.subarray(0, CHECK_SUM_AT), isLittle)
  const [c, d] = headerSum(wal)
  return a === c && b === d
}

function headerSum(wal: Buffer): Sum {
  return [wal.readUInt32BE(CHECK_SUM_AT), wal.readUInt32BE(CHECK_SUM_AT + 4)]
}

/** Frames of an earlier round of the log have other salts. */
function hasSalts(wal: Buffer, frame: number, salts: Buffer): boolean {
  const at = frameAt(frame) + 8
  return wal.subarray(at, at + 8).equals(salts)
}

/** Those of the header; where it is damaged and none of the first frames has them, those of the first frame. */
function saltsOf(wal: Buffer): Buffer {
  const own = wal.subarray(SALTS_AT, SALTS_AT + 8)
  const frames = Array.from({ length: Math.min(frameCount(wal), 8) }, (_, frame) => frame)
  if (headerFits(wal) || frames.some((frame) => hasSalts(wal, frame, own))) return own
  return wal.subarray(frameAt(0) + 8, frameAt(0) + 16)
}

function frameSum(wal: Buffer, frame: number, before: Sum, isLittle: boolean): Sum {
  const at = frameAt(frame)
  const head = addTo(before, wal.subarray(at, at + 8), isLittle)
  return addTo(head, wal.subarray(at + FRAME_HEADER_BYTES, at + FRAME_BYTES), isLittle)
}

function sumFits(wal: Buffer, frame: number, [a, b]: Sum): boolean {
  const at = frameAt(frame) + SALTS_AT
  return wal.readUInt32BE(at) === a && wal.readUInt32BE(at + 4) === b
}

function addTo([first, second]: Sum, bytes: Buffer, isLittle: boolean): Sum {
  let [a, b] = [first, second]
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) + b) >>> 0
    b = (b + (isLittle ? bytes.readUInt32LE(at + 4) : bytes.readUInt32BE(at + 4)) + a) >>> 0
  }
  return [a, b]
}

/** A frame that ends a transaction says how many pages the database has then. -1 where there is none. */
function lastCommit(wal: Buffer, salts: Buffer): number {
  for (let frame = frameCount(wal) - 1; frame >= 0; frame--) {
    const at = frameAt(frame)
    if (wal.readUInt32BE(at) > 0 && wal.readUInt32BE(at + 4) > 0 && hasSalts(wal, frame, salts)) return frame
  }
  return -1
}
