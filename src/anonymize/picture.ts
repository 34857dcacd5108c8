import sharp from 'sharp'
import { type RawFrame, rawFrame } from '../domain/frame.ts'
import { release } from '../domain/release.ts'
import { RoadveilError } from '../errors.ts'
import { planesOf } from '../evidence/still.ts'

/** Pixels of the largest picture: three of its copies must fit into memory. */
export const MAX_PICTURE_PIXELS = 100e6

/** A still as it is to be seen: upright, in sRGB, on black where it was transparent. */
export interface Picture {
  readonly frame: RawFrame
  readonly format: 'jpeg' | 'png'
}

/**
 * Decodes a JPEG or PNG. Nothing but pixels is taken from it.
 *
 * @throws RoadveilError ERR_INPUT_UNREADABLE when it is damaged or something else, ERR_INPUT_ANIMATED, ERR_INPUT_TOO_LARGE
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const format = formatOf(bytes)
  if (format === 'png' && isAnimated(bytes))
    throw new RoadveilError(
      'ERR_INPUT_ANIMATED',
      'the PNG is animated, and only its first picture would be left',
    )
  try {
    const limits = { limitInputPixels: false, failOn: 'warning', sequentialRead: true } as const
    const { width, height } = await sharp(bytes, limits).metadata()
    if (width * height > MAX_PICTURE_PIXELS)
      throw new RoadveilError('ERR_INPUT_TOO_LARGE', `the picture is ${width}x${height}`)
    const { data, info } = await sharp(bytes, { ...limits, limitInputPixels: MAX_PICTURE_PIXELS })
      .autoOrient()
      .flatten({ background: '#000' })
      // Converts by the embedded profile, which is then not needed any more.
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const size = { width: info.width, height: info.height }
    const planes = planesOf(data, info)
    await release(data)
    return { format, frame: rawFrame({ ...STANDING, ...size, planes }) }
  } catch (cause) {
    if (cause instanceof RoadveilError) throw cause
    throw new RoadveilError('ERR_INPUT_UNREADABLE', 'the picture is damaged', { cause })
  }
}

const STANDING = { cameraId: 'file', sequence: 0, capturedAt: 0 }

const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

/** The name of a file says nothing about what is in it. */
function formatOf(bytes: Uint8Array): Picture['format'] {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg'
  if (PNG.every((byte, i) => bytes[i] === byte)) return 'png'
  throw new RoadveilError('ERR_INPUT_UNREADABLE', 'it is neither a JPEG nor a PNG, whatever its name says')
}

/** Whether a PNG says before its pixels that there are several pictures (chunk acTL). */
function isAnimated(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = PNG.length; at + 8 <= bytes.length;) {
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (kind === 'acTL') return true
    if (kind === 'IDAT') return false
    at += view.getUint32(at) + 12
  }
  return false
}
