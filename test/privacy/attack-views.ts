import { execFileSync } from 'node:child_process'
import sharp from 'sharp'
import {
  type RawFrame,
  type RedactedImage,
  type RedactedVideoFrame,
  rawFrame,
} from '../../src/domain/frame.ts'
import { redactedRgb } from '../../src/domain/rgb.ts'
import type { Region } from '../../src/domain/evidence.ts'
import type { Box } from '../../src/domain/geometry.ts'
import { openClipEncoder } from '../../src/evidence/clip.ts'
import { encodeJpeg } from '../../src/evidence/still.ts'
import { planRegions } from '../../src/privacy/plan.ts'
import type { Patch, Picture, Quad } from './attack-images.ts'
import type { Target } from './attack-scene.ts'

/** How an attacker got the pictures. */
export const VIEWS = ['plate picture', 'still', 'clip'] as const
export type View = (typeof VIEWS)[number]

/** What an attacker sees of the frames, one picture a frame. */
export async function lookThrough(view: View, hidden: readonly RedactedVideoFrame[]): Promise<Picture[]> {
  switch (view) {
    case 'plate picture': // PNG loses nothing
      return hidden.map(redactedRgb)
    case 'still':
      return Promise.all(hidden.map((frame) => asStill(redactedRgb(frame))))
    case 'clip':
      return throughClip(hidden)
  }
}

/** The picture as it looks as a JPEG. */
export async function asStill(image: RedactedImage): Promise<Picture> {
  const { data, info } = await sharp(await encodeJpeg(image))
    .raw()
    .toBuffer({ resolveWithObject: true })
  const size = info.width * info.height
  const planes = new Uint8Array(3 * size)
  for (let i = 0; i < size; i++) {
    planes[2 * size + i] = data[3 * i] ?? 0
    planes[i] = data[3 * i + 1] ?? 0
    planes[size + i] = data[3 * i + 2] ?? 0
  }
  return { width: info.width, height: info.height, planes }
}

async function throughClip(hidden: readonly RedactedVideoFrame[]): Promise<Picture[]> {
  const [{ width, height } = { width: 0, height: 0 }] = hidden
  const bytes = execFileSync(
    'ffmpeg',
    ['-v', 'error', '-f', 'mp4', '-i', 'pipe:0', '-pix_fmt', 'gbrp', '-f', 'rawvideo', 'pipe:1'],
    { input: await encodeClip(hidden), maxBuffer: 2 ** 28 },
  )
  const size = 3 * width * height
  return hidden.map((_, i) => ({ width, height, planes: bytes.subarray(i * size, (i + 1) * size) }))
}

/** The frames as the clip of an evidence. */
export async function encodeClip(hidden: readonly RedactedVideoFrame[]): Promise<Uint8Array> {
  const [{ width, height } = { width: 0, height: 0 }] = hidden
  await using encoder = openClipEncoder({ width, height, matrix: 'bt709' }, 5)
  for (const frame of hidden) await encoder.write(frame)
  return await encoder.finish()
}

/** What the product's plan hides in one frame where detectors find exactly what is there. */
export function regionsOf(
  frame: Pick<RawFrame, 'sequence' | 'capturedAt' | 'width' | 'height'>,
  index: number,
  targets: readonly Target[],
): readonly Region[] {
  const { sequence, capturedAt, width, height } = frame
  const found = (wanted: Target['kind']) =>
    targets.flatMap(({ kind, places }) => {
      const place = places[index]
      return place && kind === wanted ? [{ kind, box: boxOf(place, frame), score: 1 }] : []
    })
  const size = { sequence, capturedAt, width, height }
  const findings = { ...size, objects: [], plates: found('plate'), faces: found('face') }
  return planRegions([findings], [])[0]?.regions ?? []
}

export function boxOf(place: Quad, { width, height }: Pick<Picture, 'width' | 'height'>): Box {
  const [xs, ys] = [place.map(({ x }) => x), place.map(({ y }) => y)]
  const [left, top] = [Math.min(...xs), Math.min(...ys)]
  return {
    x: left / width,
    y: top / height,
    w: (Math.max(...xs) - left) / width,
    h: (Math.max(...ys) - top) / height,
  }
}

/** The pixels of one plate or face, one colour after the other, are given another look. */
export function redraw(
  frame: RawFrame,
  index: number,
  targets: readonly Target[],
  look: (patch: Patch) => Patch,
): RawFrame {
  const planes = frame.planes.slice()
  const size = frame.width * frame.height
  for (const { places } of targets) {
    const place = places[index]
    if (!place) continue
    const [{ x, y }, , to] = place
    const [left, top] = [Math.floor(x), Math.floor(y)]
    const [width, height] = [Math.ceil(to.x) - left, Math.ceil(to.y) - top]
    for (let plane = 0; plane < 3; plane++) {
      const at = (i: number): number =>
        plane * size + (top + Math.floor(i / width)) * frame.width + left + (i % width)
      const values = Float32Array.from({ length: width * height }, (_, i) => frame.planes[at(i)] ?? 0)
      look({ width, height, values }).values.forEach((value, i) => (planes[at(i)] = value))
    }
  }
  return rawFrame({ ...frame, planes })
}

/** Six across, as Roadveil's, but each of the colour that was there. */
export function mosaic({ width, height, values }: Patch): Patch {
  const cell = Math.ceil(Math.max(width, height) / 6)
  const columns = Math.ceil(width / cell)
  const cellOf = (i: number): number =>
    Math.floor(Math.floor(i / width) / cell) * columns + Math.floor((i % width) / cell)
  const sums = new Float32Array(columns * Math.ceil(height / cell))
  const counts = sums.slice()
  values.forEach((value, i) => {
    sums[cellOf(i)] = (sums[cellOf(i)] ?? 0) + value
    counts[cellOf(i)] = (counts[cellOf(i)] ?? 0) + 1
  })
  return { width, height, values: values.map((_, i) => (sums[cellOf(i)] ?? 0) / (counts[cellOf(i)] ?? 1)) }
}
