import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TrueObject } from '../evaluation/images.ts'

/** One thing that is followed through a clip by who labelled it. */
export interface TrackedObject extends TrueObject {
  /** The same in every frame. */
  readonly id: string
}

/** A clip and what is truly in it. */
export interface LabelledClip {
  readonly file: string
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** Seconds of every frame from the first. */
  readonly times: readonly number[]
  objectsIn(frame: number): readonly TrackedObject[]
}

/** Where the labels of known clips lie that do not lie beside the clip itself. */
const LABELS = new URL('labels/', import.meta.url)

/** The labels of a clip: beside it as a ground truth, or among those that were made here by hand. Undefined where there are none. */
export function labelsOf(clip: string): string | undefined {
  const name = clip.split('/').at(-1) ?? ''
  const candidates = [
    clip.replace(/\.mp4$/, '.gt.json'),
    fileURLToPath(new URL(name.replace(/\.mp4$/, '.json'), LABELS)),
  ]
  return candidates.find((file) => file.endsWith('.json') && existsSync(file))
}

/** The frame that is nearest to a time. */
export function frameAt(times: readonly number[], seconds: number): number {
  let nearest = 0
  times.forEach((time, frame) => {
    if (Math.abs(time - seconds) < Math.abs((times[nearest] ?? 0) - seconds)) nearest = frame
  })
  return nearest
}
