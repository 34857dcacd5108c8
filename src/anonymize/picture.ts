import sharp from 'sharp'
import { type RawFrame, rawFrame } from '../domain/frame.ts'
import { release } from '../domain/release.ts'
import { RoadveilError } from '../errors.ts'
import { planesOf } from '../evidence/still.ts'
import { type StillFormat, contentOf } from './content.ts'

/** Pixels of the largest picture: three of its copies must fit into memory. */
export const MAX_PICTURE_PIXELS = 100e6

/** A still as it is to be seen: upright, in sRGB, on black where it was transparent. */
export interface Picture {
  readonly frame: RawFrame
  readonly format: StillFormat
}

/**
 * Decodes a JPEG, PNG or WebP. Nothing but pixels is taken from it.
 *
 * @throws RoadveilError ERR_INPUT_UNREADABLE when it is damaged or something else, ERR_INPUT_ANIMATED, ERR_INPUT_TOO_LARGE
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const format = formatOf(bytes)
  const animated = new RoadveilError(
    'ERR_INPUT_ANIMATED',
    'it is animated, and only its first picture would be left',
  )
  if (format === 'png' && isAnimated(bytes)) throw animated
  try {
    const limits = { limitInputPixels: false, failOn: 'warning', sequentialRead: true } as const
    const { width, height, pages = 1 } = await sharp(bytes, limits).metadata()
    if (pages > 1) throw animated
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

/** Bytes before the first chunk of a PNG. */
const PNG_HEAD_BYTES = 8

function formatOf(bytes: Uint8Array): StillFormat {
  const content = contentOf(bytes)
  if (content.kind === 'still') return content.format
  throw new RoadveilError('ERR_INPUT_UNREADABLE', 'it is no JPEG, PNG or WebP, whatever its name says')
}

/** Whether a PNG says before its pixels that there are several pictures (chunk acTL). */
function isAnimated(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = PNG_HEAD_BYTES; at + 8 <= bytes.length;) {
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (kind === 'acTL') return true
    if (kind === 'IDAT') return false
    at += view.getUint32(at) + 12
  }
  return false
}
