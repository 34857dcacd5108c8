/** A coded picture with its time in the file, milliseconds from 0. */
export interface ClipBlock {
  readonly pts: number
  readonly key: boolean
  readonly data: Uint8Array
}

/** A block's time is a signed 16-bit number of milliseconds after its cluster's; this leaves room for reordered pictures. */
const CLUSTER_SPAN_MS = 20_000

/**
 * Puts blocks behind a header into one Matroska file that ffmpeg can read from a pipe (RFC 9559).
 *
 * @param header EBML header, segment of unknown size, info and tracks
 * @param blocks in decoding order, the first at a key frame, no `pts` negative
 */
export function writeMatroska(header: Uint8Array, blocks: readonly ClipBlock[]): Uint8Array {
  return Buffer.concat(matroskaParts(header, blocks))
}

/** The same in pieces: a raw picture is not to be copied only to stand behind its head. */
export function matroskaParts(header: Uint8Array, blocks: readonly ClipBlock[]): readonly Uint8Array[] {
  const parts: Uint8Array[] = [header]
  let clusterPts: number | undefined
  for (const block of blocks) {
    if (clusterPts === undefined || Math.abs(block.pts - clusterPts) > CLUSTER_SPAN_MS) {
      clusterPts = block.pts
      parts.push(clusterHead(clusterPts))
    }
    parts.push(blockHead(block, clusterPts), block.data)
  }
  return parts
}

/** Cluster of unknown size, with its timestamp. */
function clusterHead(pts: number): Uint8Array {
  const head = Buffer.alloc(4 + 8 + 2 + 8)
  head.writeUInt32BE(0x1f43b675, 0)
  head.writeBigUInt64BE(0x01ffffffffffffffn, 4)
  head.writeUInt16BE(0xe788, 12)
  head.writeBigUInt64BE(BigInt(pts), 14)
  return head
}

/** SimpleBlock of track 1, its picture to follow. */
function blockHead(block: ClipBlock, clusterPts: number): Uint8Array {
  const head = Buffer.alloc(1 + 8 + 4)
  head.writeUInt8(0xa3, 0)
  head.writeBigUInt64BE(BigInt(block.data.length + 4) | (1n << 56n), 1)
  head.writeUInt8(0x81, 9)
  head.writeInt16BE(block.pts - clusterPts, 10)
  head.writeUInt8(block.key ? 0x80 : 0, 12)
  return head
}
