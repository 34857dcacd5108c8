import type { VehicleClass } from './detection.ts'
import type { EpochMs } from './frame.ts'
import type { Point, Polygon } from './geometry.ts'

/** A named polygon or line of a camera. */
export type Zone =
  | {
      readonly id: string
      readonly shape: 'polygon'
      readonly points: Polygon
      readonly direction?: Direction
    }
  | {
      readonly id: string
      readonly shape: 'line'
      readonly points: readonly [Point, Point]
      readonly direction?: Direction
    }

/** The way that traffic may go, as an arrow from one point to another. */
export interface Direction {
  readonly from: Point
  readonly to: Point
}

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Day = (typeof DAYS)[number]

/** Part of the week in the camera's local time. `to` may be before `from`: then it ends on the next day. */
export interface ScheduleSlot {
  readonly days: readonly Day[]
  /** Minutes after local midnight, 0-1439. */
  readonly fromMinute: number
  /** Minutes after local midnight, 1-1440; exclusive. */
  readonly toMinute: number
}

interface RuleBase {
  readonly id: string
  readonly zoneId: string
  readonly classes: readonly VehicleClass[]
  /** Empty: always. */
  readonly schedule: readonly ScheduleSlot[]
  /** `warning` until `effectiveFrom`, whatever `mode` says; see `modeAt` in rules/. */
  readonly mode: 'warning' | 'live'
  readonly effectiveFrom?: EpochMs
}

/** Stationary in the zone for longer than the limit. */
export interface NoStoppingRule extends RuleBase {
  readonly kind: 'no-stopping'
  readonly limitMs: number
}

/** Travels along the zone; `classes` are whom it is forbidden to, exempt classes left out already. */
export interface ReservedLaneRule extends RuleBase {
  readonly kind: 'reserved-lane'
  /** Share of the zone's length to be travelled inside it, 0-1. */
  readonly minTravelShare: number
}

/** Crosses the zone against its direction. */
export interface WrongWayRule extends RuleBase {
  readonly kind: 'wrong-way'
}

export type Rule = NoStoppingRule | ReservedLaneRule | WrongWayRule
export type RuleKind = Rule['kind']
export const RULE_KINDS = ['no-stopping', 'reserved-lane', 'wrong-way'] as const satisfies readonly RuleKind[]
