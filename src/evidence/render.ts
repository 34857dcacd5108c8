import type { EvidenceFacts, EvidenceFile } from '../domain/evidence.ts'
import type { RawVideoFrame, RedactedVideoFrame } from '../domain/frame.ts'
import { type Box, grow } from '../domain/geometry.ts'
import { redactedRgb } from '../domain/rgb.ts'
import { RoadveilError } from '../errors.ts'
import { cutOut, redactVideoFrame } from '../privacy/redact.ts'
import type { CheckedFrame } from './check.ts'
import { type ClipEncoder, openClipEncoder } from './clip.ts'
import { databarRows, drawDatabar } from './databar.ts'
import type { PictureRecord } from './facts.ts'
import type { Footage } from './footage.ts'
import { encodeJpeg, encodePng } from './still.ts'

/** A file of the evidence and what it is. */
export type TypedFile = EvidenceFile & { readonly mediaType: EvidenceFacts['files'][number]['mediaType'] }

/** Frame numbers of the pictures that are kept beside the clip. */
export interface WantedPictures {
  readonly before: number
  readonly during: number
  readonly after: number
  /** The frame whose reading of the plate counts, if there is one. */
  readonly plate: number | undefined
}

/** Everything that is kept of the footage, redacted. */
export interface Rendering {
  /** Pixels of the camera's picture; the databar and an even size make files larger. */
  readonly size: { readonly width: number; readonly height: number }
  readonly files: readonly TypedFile[]
  readonly stills: readonly (PictureRecord & { readonly file: string })[]
  readonly clip: { readonly file: string; readonly frames: readonly PictureRecord[] }
  readonly crop: {
    readonly file: string
    readonly frameNumber: number
    readonly capturedAt: number
    readonly box: Box
  } | null
}

export interface RenderOptions {
  readonly site: string
  readonly camera: string
  readonly fps: number
  readonly wanted: WantedPictures
}

/** A plate picture shows a little of the vehicle around the plate. */
const CROP_GROWTH = 0.1

/**
 * Decodes the footage again, redacts every frame by its plan, draws the databar and encodes clip, stills and plate
 * picture. Frames are numbered through all pieces of footage.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a frame is not the one that was searched, ERR_EVIDENCE_INCOMPLETE,
 *   ERR_ENCODE_FAILED
 */
export async function renderFootage(
  pieces: readonly { readonly footage: Footage; readonly checked: readonly CheckedFrame[] }[],
  options: RenderOptions,
  signal: AbortSignal,
): Promise<Rendering> {
  const encoding: Promise<TypedFile>[] = []
  const stills: (PictureRecord & { file: string })[] = []
  const frames: PictureRecord[] = []
  let crop: Rendering['crop'] = null
  let encoder: ClipEncoder | undefined
  let size = { width: 0, height: 0 }
  let writing = Promise.resolve()
  try {
    for (const { footage, checked } of pieces) {
      let inPiece = 0
      for await (const raw of footage.videoFrames(signal)) {
        const frame = checked[inPiece++]
        if (frame?.capturedAt !== raw.capturedAt)
          throw unchecked('another frame than the one that was searched')
        const number = frames.length
        size = { width: raw.width, height: raw.height }
        const image = draw(raw, frame, number, options)
        const record = { capturedAt: raw.capturedAt, frameNumber: number, regions: frame.plan.regions }
        frames.push(record)
        encoder ??= openClipEncoder(image, options.fps)
        // The encoder takes one image while the next is decoded.
        await writing
        writing = heard(encoder.write(image))
        for (const name of ['before', 'during', 'after'] as const) {
          if (options.wanted[name] !== number) continue
          const file = `${name}.jpg`
          encoding.push(
            heard(
              encodeJpeg(redactedRgb(image)).then((bytes) => ({
                name: file,
                mediaType: 'image/jpeg',
                bytes,
              })),
            ),
          )
          stills.push({ file, ...record })
        }
        if (options.wanted.plate === number && frame.plan.offenderPlate) {
          const box = grow(frame.plan.offenderPlate.box, CROP_GROWTH)
          const picture = encodePng(cutOut(redactedRgb(image), box, raw.height))
          encoding.push(
            heard(picture.then((bytes) => ({ name: 'plate.png', mediaType: 'image/png', bytes }))),
          )
          crop = { file: 'plate.png', frameNumber: number, capturedAt: raw.capturedAt, box }
        }
      }
      if (inPiece !== checked.length) throw unchecked('fewer frames than were searched')
    }
    if (!encoder) throw new RoadveilError('ERR_EVIDENCE_INCOMPLETE', 'the footage has no frame')
    await writing
    const clip: TypedFile = { name: 'clip.mp4', mediaType: 'video/mp4', bytes: await encoder.finish() }
    const files = [...(await Promise.all(encoding)), clip]
    return { size, files, stills, clip: { file: 'clip.mp4', frames }, crop }
  } finally {
    // Whatever failed first is what counts; the rest must not be left without somebody who listens.
    await Promise.allSettled([writing, ...encoding])
    await encoder?.[Symbol.asyncDispose]()
  }
}

/** A promise that is awaited later: until then a failure must not count as unheard, which would end the thread. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

function draw(
  raw: RawVideoFrame,
  { plan }: CheckedFrame,
  frameNumber: number,
  options: RenderOptions,
): RedactedVideoFrame {
  const image = redactVideoFrame(raw, plan.regions, { extraRows: databarRows(raw.width) })
  drawDatabar(image, { site: options.site, camera: options.camera, capturedAt: raw.capturedAt, frameNumber })
  return image
}

function unchecked(what: string): RoadveilError {
  return new RoadveilError('ERR_REDACTION_UNCHECKED', `the second decoding gave ${what}`)
}
