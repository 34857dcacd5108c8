import type { RawFrame, RawVideoFrame } from '../domain/frame.ts'
import { rawRgb } from '../domain/rgb.ts'
import type { Box } from '../domain/geometry.ts'
import type { Findings } from '../privacy/findings.ts'
import type { Sample, VideoInput } from './video-input.ts'
import { looksAt, looksAtChange } from '../privacy/looks.ts'
import { type Detectors, searchFrame } from '../privacy/search.ts'
import { type PlacedFrame, openShotWatch } from '../privacy/shots.ts'

/** One frame of a video: searched, or so near to two that were that they say what is in it. */
export interface SeenFrame {
  /** From 0. */
  readonly number: number
  /** Milliseconds from the first frame. */
  readonly capturedAt: number
  readonly findings?: Findings
}

/** Searched frames are at most this far apart where the video has as many; a little more, since times are rounded. */
const MAX_STEP_MS = 105
/** Searched frames a second, at the most. */
const SEARCHED_FPS = 10
/** After a longer time nothing can be followed: the frame is looked at as if it were the first. */
const MAX_FOLLOWED_MS = 400

/**
 * About one frame a second of a video that was searched: where frames come evenly, such as had no look at the whole picture, and
 * none at all where not every frame is searched. What was followed to is what can be wrong.
 */
export function sampleUnseen(fps: number): Sample {
  const step = Math.max(1, Math.floor((MAX_STEP_MS * fps) / 1000))
  // Of the searched frames every second one is looked at as a whole.
  return { first: Math.ceil(step / 2), every: 2 * step * Math.max(1, Math.round(fps / (2 * step))) }
}

/** Takes part in the search of each frame, to follow the vehicle whose plate is kept. */
export interface VehicleFollower {
  /** Where the vehicle was last seen, if that is not long ago. */
  expectedAt(capturedAt: number): Box | undefined
  note(frame: RawFrame, findings: Findings): Promise<void>
}

/**
 * Searches a video: every frame of which the next one would come too late, and those that show what no neighbour does. The others are
 * given without findings. Holds two frames in memory.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED
 */
export async function* searchVideo(
  frames: AsyncIterable<RawVideoFrame>,
  { fps }: Pick<VideoInput, 'fps'>,
  detectors: Detectors,
  follower: VehicleFollower | undefined,
): AsyncGenerator<SeenFrame, void, undefined> {
  let searchedAt = -Infinity
  let searched = 0

  const search = async (placed: PlacedFrame<RawVideoFrame>): Promise<SeenFrame> => {
    const frame = rawRgb(placed.frame)
    const isAlone = frame.capturedAt - searchedAt > MAX_FOLLOWED_MS
    const change = placed.change ?? (isAlone ? 'start' : undefined)
    // After a look at the whole the turns begin anew.
    if (change) searched = 0
    const turn = looksAt(searched++, Math.min(fps, SEARCHED_FPS))
    const looks = looksAtChange({ change, isLast: placed.isLast }) ?? turn
    searchedAt = frame.capturedAt
    const expected = follower?.expectedAt(frame.capturedAt)
    const found = await searchFrame(frame, detectors, looks, expected)
    const findings = change === 'cut' ? { ...found, afterCut: true } : found
    await follower?.note(frame, findings)
    return { ...seen(frame), findings }
  }

  for await (const placed of openShotWatch().place(frames)) {
    const { frame, change, isLast, nextAt = Infinity } = placed
    const mustSearch = change !== undefined || isLast || nextAt - searchedAt > MAX_STEP_MS
    yield mustSearch ? await search(placed) : seen(frame)
  }
}

function seen({ sequence, capturedAt }: Pick<RawFrame, 'sequence' | 'capturedAt'>): SeenFrame {
  return { number: sequence, capturedAt }
}
