import type { Arrival, EpochMs } from '../domain/frame.ts'
import type { Track } from '../domain/track.ts'

/** One track at one frame, as rules see it. */
export interface Sight {
  readonly track: Track
  readonly at: EpochMs
  readonly arrival: Arrival
  /** Whether the rule holds at this time, by its schedule. */
  readonly isActive: boolean
}

/** A moment with the frame's arrival on the host's clocks. */
export interface Moment {
  readonly at: EpochMs
  readonly arrival: Arrival
}

/**
 * What a rule says of a track: `clear`, it has nothing to do with it; `stay`, it may yet be judged, and since when it is in
 * the zone; `violation`, it broke the rule with this very frame.
 */
export type Verdict =
  | { readonly kind: 'clear' }
  | { readonly kind: 'stay'; readonly entered: Moment }
  | { readonly kind: 'violation'; readonly entered: Moment }

export const CLEAR: Verdict = { kind: 'clear' }

/** Judges one track by one rule; a new one is made for every track. */
export interface TrackJudge {
  step(sight: Sight): Verdict
}

/** Out of the zone for longer than this ends a stay: boxes jitter at the zone's edge. */
export const LEAVE_MS = 2_000
