import { basename } from 'node:path'
import type { RawFrame } from '../../src/domain/frame.ts'
import type { LabelledClip, TrackedObject } from './labelled-clip.ts'
import { type Leak, type Result, emptyTallies } from './result.ts'
import { type Mask, type TrackTally, countPicture, countTrack } from './tally.ts'
import { cutThumbnail } from './thumbnail.ts'

/** Counts the frames of a clip as several hiders hid them. */
export interface ClipCount extends Required<Pick<Result, 'tallies' | 'tracks' | 'leaks'>> {
  add(hider: string, frame: RawFrame, number: number, masks: readonly Mask[]): Promise<void>
}

/** Makes a count of nothing yet. */
export function openCount(
  clip: LabelledClip,
  hiders: readonly string[],
  { thumbnails }: { readonly thumbnails: boolean },
): ClipCount {
  const tallies = emptyTallies(hiders)
  const tracks = new Map(hiders.map((name) => [name, new Map<string, TrackTally>()]))
  const leaks: Leak[] = []
  return {
    ...{ tallies, tracks, leaks },
    async add(hider, frame, number, masks) {
      const [tally, ofHider] = [tallies.get(hider), tracks.get(hider)]
      if (!tally || !ofHider) return
      const seconds = clip.times[number] ?? 0
      const objects = clip.objectsIn(number)
      const open = countPicture(tally, frame, objects, masks)
      const isOpen = (one: TrackedObject): boolean => open.some(({ object }) => object === one)
      for (const object of objects) countTrack(ofHider, object, seconds, !isOpen(object))
      for (const { object, covered } of open) {
        const where = `${basename(clip.file)}, ${seconds.toFixed(2)} s, frame ${number}, ${object.id}`
        const leak = { ...object, covered, hider, where }
        leaks.push(thumbnails ? { ...leak, thumbnail: await cutThumbnail(frame, object.box, masks) } : leak)
      }
    },
  }
}
