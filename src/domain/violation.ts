import type { VehicleClass } from './detection.ts'
import type { Arrival, EpochMs } from './frame.ts'
import type { RuleKind } from './rule.ts'
import type { PathPoint } from './track.ts'

/** A track that broke a rule. At most one per track, rule and stay. */
export interface Violation {
  /** UUID; the evidence made of it carries the same id. */
  readonly id: string
  readonly cameraId: string
  readonly trackId: string
  readonly class: VehicleClass
  readonly ruleId: string
  readonly ruleKind: RuleKind
  readonly zoneId: string
  /** What the rule was worth at `judgedAt`. */
  readonly mode: 'warning' | 'live'
  /** When the vehicle entered the zone. */
  readonly enteredAt: EpochMs
  /** When the rule was broken, by the frame that showed it. */
  readonly judgedAt: EpochMs
  /** When the frames of those two moments reached this machine. */
  readonly arrivals: { readonly entered: Arrival; readonly judged: Arrival }
  /** The track from before the entry until `judgedAt`. */
  readonly path: readonly PathPoint[]
}
