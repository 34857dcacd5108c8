import sharp, { type Sharp } from 'sharp'
import type { RedactedImage } from '../domain/frame.ts'

// One thread and no cache: the analysis of live frames runs beside this, and pictures must not linger in memory.
sharp.concurrency(1)
sharp.cache(false)

const JPEG_QUALITY = 90
/** To find the best codes, libjpeg keeps twice the picture's bytes; a larger picture is rather a larger file. */
const MAX_PIXELS_OF_BEST_CODES = 12e6

/** A still as JPEG, without metadata. */
export async function encodeJpeg(image: RedactedImage): Promise<Uint8Array> {
  const optimiseCoding = image.width * image.height <= MAX_PIXELS_OF_BEST_CODES
  return open(image).jpeg({ quality: JPEG_QUALITY, chromaSubsampling: '4:4:4', optimiseCoding }).toBuffer()
}

/** A plate picture as PNG: small, and every pixel as it was. */
export async function encodePng(image: RedactedImage): Promise<Uint8Array> {
  return open(image).png({ compressionLevel: 9 }).toBuffer()
}

/** A still as WebP, without metadata. */
export async function encodeWebp(image: RedactedImage): Promise<Uint8Array> {
  return open(image).webp({ quality: JPEG_QUALITY, smartSubsample: true }).toBuffer()
}

/** From interleaved R, G, B, or from grey alone, as sharp decodes them, to the planes G, B, R of a frame. */
export function planesOf(
  pixels: Uint8Array,
  { width, height, channels }: { readonly width: number; readonly height: number; readonly channels: number },
): Uint8Array {
  const size = width * height
  const planes = new Uint8Array(size * 3)
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2]
  for (let i = 0, at = 0; i < size; i++, at += channels) {
    planes[i] = pixels[at + green] ?? 0
    planes[size + i] = pixels[at + blue] ?? 0
    planes[2 * size + i] = pixels[at] ?? 0
  }
  return planes
}

function open({ width, height, planes }: RedactedImage): Sharp {
  const size = width * height
  const raw = { width, height, channels: 1 } as const
  // The planes as they are: another copy of a large picture takes much memory.
  const plane = (index: number): Buffer => Buffer.from(planes.buffer, planes.byteOffset + index * size, size)
  return sharp(plane(2), { raw })
    .joinChannel([plane(0), plane(1)], { raw })
    .toColourspace('srgb')
}
