import { z } from 'zod'
import type { LabelledClip } from './labelled-clip.ts'

const pixels = z.tuple([z.number(), z.number(), z.number(), z.number()])

/** As of models/selftest: what is in every frame of a rendered clip. */
const truthSchema = z.object({
  width: z.number(),
  height: z.number(),
  frames: z.array(
    z.object({
      t: z.number(),
      objects: z.array(
        z.object({
          id: z.string(),
          cls: z.string(),
          box: pixels,
          visibility: z.number().default(1),
          inFrame: z.number().default(1),
          /** Of a face: above 0 where it looks towards the camera. */
          facing: z.number().default(1),
        }),
      ),
    }),
  ),
})

/** Less than this of an object is nothing that a viewer could make out. */
const MIN_VISIBILITY = 0.2
const MIN_IN_FRAME = 0.5

/** Reads what the renderer of a clip said of it. */
export function parseTruth(file: string, json: unknown): LabelledClip {
  const { width, height, frames } = truthSchema.parse(json)
  return {
    ...{ file, width, height },
    times: frames.map(({ t }) => t),
    objectsIn: (frame) =>
      (frames[frame]?.objects ?? [])
        .filter(
          ({ visibility, inFrame, facing }) =>
            visibility > MIN_VISIBILITY && inFrame > MIN_IN_FRAME && facing > 0,
        )
        .map(({ id, cls, box: [x, y, w, h] }) => ({ id, kind: cls, box: { x, y, w, h } })),
  }
}
