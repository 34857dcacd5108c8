import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Box, Polygon } from '../../domain/geometry.ts'
import type { Region } from '../../domain/evidence.ts'
import { RoadveilError } from '../../errors.ts'

/** The built-in clip, rendered: nobody and nothing in it exists. */
export const SCENE_FILE = fileURLToPath(new URL('../../../models/selftest/street.mp4', import.meta.url))
const TRUTH_FILE = fileURLToPath(new URL('../../../models/selftest/street.gt.json', import.meta.url))

const pixels = z.tuple([z.number(), z.number(), z.number(), z.number()])

const objectSchema = z.object({
  id: z.string(),
  cls: z.enum(['car', 'person', 'plate', 'face']),
  /** Left, top, width, height. */
  box: pixels,
  visibleBox: pixels.optional(),
  /** Share of it that nothing stands before, 0-1. */
  visibility: z.number(),
  /** Share of it that lies in the picture, 0-1. */
  inFrame: z.number(),
  /** Of a face: above 0 where it looks towards the camera. */
  facing: z.number().optional(),
})
/** One thing in one frame of the scene, where it truly is. */
export type TrueObject = z.infer<typeof objectSchema>

const truthSchema = z.object({
  width: z.number(),
  height: z.number(),
  fps: z.number(),
  zonePolygon: z.array(z.tuple([z.number(), z.number()])),
  violation: z.object({ vehicle: z.string(), plateText: z.string(), stoppedFrom: z.number() }),
  bystanderPlates: z.array(z.string()),
  frames: z.array(z.object({ t: z.number(), objects: z.array(objectSchema) })),
})

/** The scene's ground truth, frame by frame. */
export type Scene = z.infer<typeof truthSchema>

/**
 * Reads the ground truth of the built-in clip.
 *
 * @throws RoadveilError ERR_SELFTEST_SCENE when the release lacks it or it is damaged
 */
export async function loadScene(): Promise<Scene> {
  try {
    return truthSchema.parse(JSON.parse(await readFile(TRUTH_FILE, 'utf8')))
  } catch (cause) {
    throw new RoadveilError('ERR_SELFTEST_SCENE', 'the built-in clip has no ground truth', { cause })
  }
}

/** The no-stopping zone in 0-1 coordinates, clipped to the picture. */
export function zoneOf(scene: Scene): Polygon {
  const within = (value: number): number => Math.min(1, Math.max(0, value))
  return scene.zonePolygon.map(([x, y]) => ({ x: within(x / scene.width), y: within(y / scene.height) }))
}

/** What is truly there `seconds` after the clip's start. */
export function truthAt(scene: Scene, seconds: number): readonly TrueObject[] {
  const last = scene.frames.length - 1
  return scene.frames[Math.min(last, Math.max(0, Math.round(seconds * scene.fps)))]?.objects ?? []
}

/** Where a thing truly is, in 0-1 coordinates. */
export function trueBox(scene: Scene, { box: [x, y, w, h] }: Pick<TrueObject, 'box'>): Box {
  return { x: x / scene.width, y: y / scene.height, w: w / scene.width, h: h / scene.height }
}

/** The faces and plates of a moment that a viewer could make out, but for the offender's. */
export function mustBeHidden(scene: Scene, seconds: number): readonly TrueObject[] {
  return truthAt(scene, seconds).filter(
    ({ id, cls, visibility, inFrame, facing = 1 }) =>
      (cls === 'face' || cls === 'plate') &&
      visibility > 0.2 &&
      inFrame > 0.5 &&
      facing > 0 &&
      !id.startsWith(scene.violation.vehicle),
  )
}

/** The share of a true box that the regions cover, 0-1, counted in the scene's pixels. */
export function hiddenShare(scene: Scene, box: Box, regions: readonly Pick<Region, 'box'>[]): number {
  const { width, height } = scene
  let covered = 0
  let all = 0
  for (let y = Math.round(box.y * height); y < Math.min(height, (box.y + box.h) * height); y++) {
    for (let x = Math.round(box.x * width); x < Math.min(width, (box.x + box.w) * width); x++) {
      all++
      const px = (x + 0.5) / width
      const py = (y + 0.5) / height
      if (regions.some(({ box: r }) => px >= r.x && px < r.x + r.w && py >= r.y && py < r.y + r.h)) covered++
    }
  }
  return all === 0 ? 1 : covered / all
}
