import { z } from 'zod'
import type { PixelBox } from '../../src/domain/geometry.ts'
import { interpolate } from '../../src/domain/geometry.ts'
import type { TrackedObject } from './labelled-clip.ts'

/** A frame, counted from 0 in the order in which they are seen, and x, y, width and height in pixels of it. */
const keyframe = z.tuple([z.int().nonnegative(), z.number(), z.number(), z.number(), z.number()])

/** Labels of a real clip, made by hand: each object at a few frames of those in which it counts. */
const keyframesSchema = z.strictObject({
  clip: z.string(),
  /** Of the clip's bytes: of other ones the frames might be others. */
  sha256: z.string(),
  width: z.number(),
  height: z.number(),
  frames: z.int(),
  /** By name; what follows the last slash is the kind, as `red-van/plate`. */
  tracks: z.record(z.string().regex(/\/(plate|face)$/), z.array(keyframe).min(1)),
})
export type Keyframes = z.infer<typeof keyframesSchema>

/** @throws when it is no file of keyframes, or the frames of a track do not ascend */
export function parseKeyframes(json: unknown): Keyframes {
  const keyframes = keyframesSchema.parse(json)
  for (const [id, track] of Object.entries(keyframes.tracks)) {
    const isAscending = track.every(([frame], i) => i === 0 || frame > (track[i - 1]?.[0] ?? 0))
    if (!isAscending || (track.at(-1)?.[0] ?? 0) >= keyframes.frames)
      throw new RangeError(`the frames of ${id} are not in order, or more than the clip has`)
  }
  return keyframes
}

/** Everything in a frame: where it was labelled, or on the line between two labels. */
export function objectsIn({ tracks }: Keyframes, frame: number): TrackedObject[] {
  return Object.entries(tracks).flatMap(([id, track]) => {
    const box = boxIn(track, frame)
    return box ? [{ id, kind: id.slice(id.lastIndexOf('/') + 1), box }] : []
  })
}

function boxIn(track: Keyframes['tracks'][string], frame: number): PixelBox | undefined {
  const after = track.findIndex(([at]) => at >= frame)
  const next = track[after]
  const previous = next?.[0] === frame ? next : track[after - 1]
  if (!next || !previous) return undefined
  const share = next === previous ? 0 : (frame - previous[0]) / (next[0] - previous[0])
  return interpolate(boxOf(previous), boxOf(next), share)
}

function boxOf([, x, y, w, h]: Keyframes['tracks'][string][number]): PixelBox {
  return { x, y, w, h }
}
