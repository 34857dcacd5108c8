import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { z } from 'zod'
import { type RawFrame, rawFrame } from '../../src/domain/frame.ts'
import type { PixelBox } from '../../src/domain/geometry.ts'
import { planesOf } from '../../src/evidence/still.ts'

/** One thing that somebody has drawn a box around. */
export interface TrueObject {
  readonly kind: string
  /** Pixels of the image. */
  readonly box: PixelBox
}

/** An image and what is truly in it. */
export interface LabelledImage {
  readonly name: string
  readonly frame: RawFrame
  readonly objects: readonly TrueObject[]
  /** Darker than this on average and a street lies at night. */
  readonly isNight: boolean
}

const labelsSchema = z.record(
  z.string(),
  z.array(z.object({ class: z.string(), box: z.tuple([z.number(), z.number(), z.number(), z.number()]) })),
)

/** Mean brightness below which a picture counts as taken at night, 0-255. */
const NIGHT_BRIGHTNESS = 70

/** The labels of a folder: `labels.json` = `{file: [{class, box: [x, y, width, height] in pixels}]}`. */
export async function readLabels(folder: string): Promise<ReadonlyMap<string, readonly TrueObject[]>> {
  const labels = labelsSchema.parse(JSON.parse(await readFile(join(folder, 'labels.json'), 'utf8')))
  return new Map(
    Object.entries(labels).map(([name, objects]) => [
      name,
      objects.map(({ class: kind, box: [x, y, w, h] }) => ({ kind, box: { x, y, w, h } })),
    ]),
  )
}

/** Decodes one image of a folder as evidence is decoded: planar, green, blue, red. */
export async function readImage(
  folder: string,
  name: string,
  objects: readonly TrueObject[],
): Promise<LabelledImage> {
  const { data, info } = await sharp(join(folder, name))
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const planes = planesOf(data, info)
  const sum = planes.reduce((total, value) => total + value, 0)
  const frame = rawFrame({ cameraId: name, sequence: 0, capturedAt: 0, width, height, planes })
  return { name, frame, objects, isNight: sum / planes.length < NIGHT_BRIGHTNESS }
}
