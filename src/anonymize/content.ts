import { open } from 'node:fs/promises'
import { RoadveilError } from '../errors.ts'

/** Pictures that are redacted, and come out in the format in which they came. */
export type StillFormat = 'jpeg' | 'png' | 'webp'

/** What the first bytes of a file say that it is; the name of a file says nothing about what is in it. */
export type Content =
  | { readonly kind: 'still'; readonly format: StillFormat }
  /** A picture of a format that is not redacted here. */
  | { readonly kind: 'other still'; readonly name: string }
  /** A video, or nothing at all: ffmpeg knows. */
  | { readonly kind: 'unknown' }

const HEAD_BYTES = 32

/** How formats begin, as Latin-1; a dot stands for any byte. */
const STILLS: readonly (readonly [RegExp, StillFormat])[] = [
  [/^\xff\xd8\xff/, 'jpeg'],
  [/^\x89PNG\r\n.\n/s, 'png'],
  [/^RIFF.{4}WEBP/s, 'webp'],
]
const OTHER_STILLS: readonly (readonly [RegExp, string])[] = [
  [/^(II\*\0|MM\0\*)/, 'TIFF or raw camera'],
  // Of these ffmpeg would take one tile for the whole picture.
  [/^.{4}ftyp(heic|heix|hevc|heim|heis|mif1|msf1)/s, 'HEIC'],
  [/^.{4}ftyp(avif|avis)/s, 'AVIF'],
  [/^.{4}ftypcrx /s, 'raw camera'],
  [/^(\xff\n|\0\0\0.JXL )/s, 'JPEG XL'],
  [/^\0\0\0.jP {2}/s, 'JPEG 2000'],
  [/^8BPS/, 'Photoshop'],
]

/** Looks at the beginning of a file. @throws RoadveilError ERR_INPUT_MISSING when it may not be read */
export async function readContent(file: string): Promise<Content> {
  try {
    await using handle = await open(file)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return contentOf(buffer.subarray(0, bytesRead))
  } catch (cause) {
    throw new RoadveilError('ERR_INPUT_MISSING', 'it is not there, or may not be read', { cause })
  }
}

/** What bytes begin. */
export function contentOf(bytes: Uint8Array): Content {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1')
  const format = STILLS.find(([begin]) => begin.test(head))?.[1]
  if (format) return { kind: 'still', format }
  const name = OTHER_STILLS.find(([begin]) => begin.test(head))?.[1]
  return name === undefined ? { kind: 'unknown' } : { kind: 'other still', name }
}
