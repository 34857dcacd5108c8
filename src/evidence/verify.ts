import sharp from 'sharp'
import { startFfmpeg } from '../camera/ffmpeg.ts'
import { readMatroska } from '../camera/matroska.ts'
import { type RawFrame, rawFrame } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import { readPlate } from '../plates/read.ts'
import type { FoundRegion } from '../privacy/findings.ts'
import { findLeaks } from '../privacy/verify.ts'
import type { CheckedFrame, EvidenceDeps } from './check.ts'
import type { Rendering } from './render.ts'
import { planesOf } from './still.ts'

/** What a second search of the finished pictures found left open, by frame number. */
export type Leaks = ReadonlyMap<number, readonly FoundRegion[]>

/** How many pictures were searched a second time, and what was left open in them. */
export interface Verification {
  readonly checkedFrames: number
  readonly leaks: Leaks
}

/** Of the clip, every fourth frame from the second on: the search looks at the others as a whole, or at their neighbours. */
const CHECK_EVERY = 4
const FIRST_CHECKED = 1

/**
 * Decodes clip and stills again, as the city will, and searches them for faces and plates once more, see `findLeaks`.
 *
 * @param frames all frames of the clip, in order
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when what was made cannot be decoded or searched
 */
export async function verifyRendering(
  { size, files, clip, stills }: Rendering,
  frames: readonly CheckedFrame[],
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<Verification> {
  const leaks = new Map<number, FoundRegion[]>()
  let checkedFrames = 0
  const check = async (number: number, picture: RawFrame): Promise<void> => {
    const plan = frames[number]?.plan
    if (!plan) throw unchecked('a frame that was never planned')
    const kept = plan.offenderPlate ? [plan.offenderPlate.box] : []
    const found = await findLeaks(picture, plan.regions, kept, deps.detectors.regions, (frame, plate) =>
      readPlate(frame, plate, deps.plateText),
    )
    checkedFrames++
    if (found.length > 0) leaks.set(number, [...(leaks.get(number) ?? []), ...found])
  }
  const bytesOf = (name: string): Uint8Array =>
    files.find((file) => file.name === name)?.bytes ?? new Uint8Array()

  let number = FIRST_CHECKED
  for await (const picture of decodeClip(bytesOf(clip.file), signal)) {
    await check(number, topLeft(picture, size))
    number += CHECK_EVERY
  }
  if (number < frames.length) throw unchecked(`nothing from frame ${number} on`)
  for (const { file, frameNumber } of stills)
    await check(frameNumber, topLeft(await decodeStill(bytesOf(file)), size))
  return { checkedFrames, leaks }
}

async function* decodeClip(mp4: Uint8Array, signal: AbortSignal): AsyncGenerator<RawFrame, void, undefined> {
  const args = [
    ...['-hide_banner', '-nostats', '-loglevel', 'info', '-threads', '2', '-f', 'mp4', '-i', 'pipe:0'],
    ...['-map', '0:v:0', '-filter:v', WANTED_FRAMES, '-fps_mode', 'passthrough'],
    ...['-c:v', 'rawvideo', '-allow_raw_vfw', '1', '-flush_packets', '1', '-write_crc32', '0'],
    ...['-f', 'matroska', 'pipe:3'],
  ]
  await using ffmpeg = startFfmpeg(args, mp4, 1)
  const [output] = ffmpeg.outputs
  if (!output) throw unchecked('no decoder')
  let size = { width: 0, height: 0 }
  let sequence = 0
  for await (const part of readMatroska(output, MAX_FRAME_BYTES)) {
    signal.throwIfAborted()
    if (part.kind === 'header') size = { width: part.width, height: part.height }
    else
      yield rawFrame({ cameraId: '', sequence: sequence++, capturedAt: part.pts, ...size, planes: part.data })
  }
}

/** Raw pictures through a pipe cost more than decoding them: only those come that are looked at. */
const WANTED_FRAMES = `select='eq(mod(n,${CHECK_EVERY}),${FIRST_CHECKED})',format=gbrp`

/** A picture of 4K and its databar, and then some. */
const MAX_FRAME_BYTES = 4096 * 2400 * 3

async function decodeStill(jpeg: Uint8Array): Promise<RawFrame> {
  const { data, info } = await sharp(jpeg).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const { width, height } = info
  return rawFrame({ cameraId: '', sequence: 0, capturedAt: 0, width, height, planes: planesOf(data, info) })
}

/** The part of a picture that is the camera's. */
function topLeft(
  picture: RawFrame,
  { width, height }: { readonly width: number; readonly height: number },
): RawFrame {
  if (picture.width < width || picture.height < height) throw unchecked('a smaller picture')
  const planes = new Uint8Array(3 * width * height)
  for (let plane = 0; plane < 3; plane++) {
    for (let y = 0; y < height; y++) {
      const from = (plane * picture.height + y) * picture.width
      planes.set(picture.planes.subarray(from, from + width), (plane * height + y) * width)
    }
  }
  return { ...picture, width, height, planes }
}

function unchecked(what: string): RoadveilError {
  return new RoadveilError('ERR_REDACTION_UNCHECKED', `decoding the finished pictures gave ${what}`)
}
