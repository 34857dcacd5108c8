import type { PlacedFrame } from './shots.ts'

/** Low on purpose: a false mask costs a patch of grey, a missed face a person's privacy. */
const MIN_SCORES = { plate: 0.55, face: 0.45 }

/**
 * Which costly looks a frame gets. Every frame is searched for persons and vehicles, every person in it closely for a face
 * and the offender closely for its plate. The other looks come in turns: what one frame shows is followed into its
 * neighbours, on the person or vehicle that it belongs to.
 */
export interface Looks {
  /** Persons and vehicles far away. */
  readonly far: boolean
  /**
   * The whole picture for faces and plates: at full size, at half for those that are large enough for it, at double for the small,
   * and, for plates, upside down.
   */
  readonly whole: readonly ('double' | 'full' | 'half' | 'turned')[]
  /** Whose vehicle is looked at closely for its plate. */
  readonly vehicles: 'offender' | 'all'
  /** Whether the network takes its time that finds more. */
  readonly areFine: boolean
  /** From which scores on something is hidden. */
  readonly minScores: { readonly plate: number; readonly face: number }
}

/**
 * For a picture that stands alone: no other frame shows what this one hides. More looks find more, and more that is none: from
 * these scores on 99 % of the validation sets' faces of 12 pixels and more are hidden, with about three masks for each.
 */
export const STILL_LOOKS: Looks = {
  far: true,
  whole: ['double', 'full', 'half', 'turned'],
  vehicles: 'all',
  areFine: true,
  minScores: { plate: 0.6, face: 0.5 },
}

/**
 * For the first and the last frame of a shot, and where something appears: what such a frame shows may be in no neighbour. Turned and
 * double looks take much longer, and a shot goes on.
 */
const EDGE_LOOKS: Looks = {
  far: true,
  whole: ['full', 'half'],
  vehicles: 'all',
  areFine: false,
  minScores: MIN_SCORES,
}

/**
 * The looks of a frame that begins or ends a shot, or shows something new; undefined for all others. After a cut it is looked at as a
 * still: the next cut may be one frame away.
 */
export function looksAtChange({
  change,
  isLast,
}: Pick<PlacedFrame<unknown>, 'change' | 'isLast'>): Looks | undefined {
  if (change === 'cut' || (change === 'start' && isLast)) return STILL_LOOKS
  return change || isLast ? EDGE_LOOKS : undefined
}

/**
 * The looks of the n-th frame of a clip: the whole picture at least about every 0.4 s, at full size every 0.8 s, since in a
 * longer time things move too far to be followed.
 *
 * @param fps of the clip
 */
export function looksAt(index: number, fps: number): Looks {
  const every = (seconds: number, most: number): number =>
    Math.min(most, Math.max(1, Math.round(seconds * fps)))
  const turn = every(0.4, 2)
  const longTurn = every(0.8, 4)
  const whole = index % longTurn === 0 ? (['full'] as const) : index % turn === 0 ? (['half'] as const) : []
  // Not in the same frames, so that the work is even; the first frame has nothing to be followed from.
  return {
    far: index === 0 || index % longTurn === longTurn >> 1,
    whole,
    vehicles: 'offender',
    areFine: false,
    minScores: MIN_SCORES,
  }
}
