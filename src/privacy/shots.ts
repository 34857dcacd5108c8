import type { RawFrame, RawVideoFrame } from '../domain/frame.ts'
import type { PathPoint } from '../domain/track.ts'
import { type Thumbnail, changeSince, thumbnailOf } from './change.ts'
import type { Findings } from './findings.ts'
import { pathBoxAt } from './offender.ts'

/** A frame and what it shows that its neighbours do not. */
export interface PlacedFrame<T> {
  readonly frame: T
  /** Whether it begins a shot, as the first frame there is or after a cut, or a part of its picture is new. */
  readonly change?: 'start' | 'cut' | 'part' | undefined
  /** Whether its shot ends with it. */
  readonly isLast: boolean
  /** When the frame after it was captured, if there is one. */
  readonly nextAt?: number
}

/** Watches frames for what no neighbour shows. */
export interface ShotWatch {
  /** Passes frames on, each when the next one is there. What is given in a later call goes on from there. */
  place<T extends RawFrame | RawVideoFrame>(
    frames: AsyncIterable<T>,
  ): AsyncGenerator<PlacedFrame<T>, void, undefined>
}

/** About as often the whole picture is looked at anyway. */
const FADE_MS = 200

/** Makes a watch. It keeps no more of a frame than its thumbnail. */
export function openShotWatch(): ShotWatch {
  let before: Thumbnail | undefined
  /** The last one that was seen to be new, or one of a moment ago: a picture may fade into another. */
  let reference: Thumbnail | undefined
  const changeTo = (now: Thumbnail): 'cut' | 'part' | undefined => {
    const since = before && changeSince(before, now)
    const hasFaded = !since && reference && reference !== before && changeSince(reference, now) === 'cut'
    const change = hasFaded ? 'part' : since
    if (change || !reference || now.capturedAt - reference.capturedAt >= FADE_MS) reference = now
    before = now
    return change
  }
  return {
    async *place<T extends RawFrame | RawVideoFrame>(frames: AsyncIterable<T>) {
      let waiting: Pick<PlacedFrame<T>, 'frame' | 'change'> | undefined
      for await (const frame of frames) {
        const since = changeTo(thumbnailOf(frame))
        // What begins anew, after a pause or elsewhere, may not be searched as the frame before it would have it.
        const change = since ?? (waiting ? undefined : 'start')
        if (waiting) yield { ...waiting, isLast: change === 'cut', nextAt: frame.capturedAt }
        waiting = change ? { frame, change } : { frame }
      }
      if (waiting) yield { ...waiting, isLast: true }
    },
  }
}

/** Frames without a cut between them: nothing is followed from one shot into another. */
export function shotsOf(frames: readonly Findings[]): Findings[][] {
  const shots: Findings[][] = []
  for (const frame of frames) {
    const shot = shots.at(-1)
    if (shot && frame.afterCut !== true) shot.push(frame)
    else shots.push([frame])
  }
  return shots
}

/** The part of a path that lies in a shot; what was before a cut says nothing about what is where after it. */
export function pathIn(
  path: readonly PathPoint[],
  shots: readonly (readonly Findings[])[],
  index: number,
): readonly PathPoint[] {
  const from = index === 0 ? -Infinity : (shots[index]?.[0]?.capturedAt ?? Infinity)
  const to = shots[index + 1]?.[0]?.capturedAt ?? Infinity
  return path.filter(({ capturedAt }) => capturedAt >= from && capturedAt < to)
}

/**
 * The part of a path that lies in the shot in which there is most of it. Live analysis knows nothing of cuts: beyond one it may have
 * taken another vehicle in the same place for the one that it followed.
 */
export function pathInOneShot(path: readonly PathPoint[], frames: readonly Findings[]): readonly PathPoint[] {
  const shots = shotsOf(frames)
  if (shots.length < 2) return path
  const known = shots.map((shot) => shot.filter(({ capturedAt }) => pathBoxAt(path, capturedAt)).length)
  return pathIn(path, shots, known.indexOf(Math.max(...known)))
}
