import type { EpochMs } from '../domain/frame.ts'

/** A piece of a camera's time line. */
export interface Span {
  readonly from: EpochMs
  readonly to: EpochMs
}

/** Length of an evidence clip. */
export const CLIP_MS = 12_000

/**
 * Frames per second of evidence, whatever the live analysis looks at: at fewer, faces and plates move too far between two
 * frames to be followed; more would only take longer.
 */
export const CLIP_FPS = 5

/** How long the camera is watched after the violation was judged. */
export const POST_ROLL_MS = 2_000

const BEFORE_ENTRY_MS = 2_000
const AFTER_ENTRY_MS = 4_000

/**
 * Which video one violation needs: 12 s in all that cover the entry into the zone and the moment at which it was judged.
 * One piece where both fit, otherwise 6 s around each; the databar's time shows the cut.
 */
export function planSpans(enteredAt: EpochMs, judgedAt: EpochMs): readonly [Span] | readonly [Span, Span] {
  const to = judgedAt + POST_ROLL_MS
  if (to - (enteredAt - BEFORE_ENTRY_MS) <= CLIP_MS) return [{ from: to - CLIP_MS, to }]
  return [entrySpan(enteredAt), { from: to - CLIP_MS / 2, to }]
}

/** The video around an entry; it must stay in memory for as long as the vehicle may still be judged. */
export function entrySpan(enteredAt: EpochMs): Span {
  return { from: enteredAt - BEFORE_ENTRY_MS, to: enteredAt + AFTER_ENTRY_MS }
}
