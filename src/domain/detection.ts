import type { Arrival, EpochMs } from './frame.ts'
import type { Box } from './geometry.ts'

/** What rules can be about. */
export const VEHICLE_CLASSES = ['car', 'truck', 'bus', 'motorcycle', 'bicycle'] as const
export type VehicleClass = (typeof VEHICLE_CLASSES)[number]

export const OBJECT_CLASSES = [...VEHICLE_CLASSES, 'person'] as const
export type ObjectClass = (typeof OBJECT_CLASSES)[number]

/** Classes that a detector may take for each other: one object is of one family and keeps it. */
export type ObjectFamily = 'vehicle' | 'cycle' | 'person'

/** The family of a class. */
export function familyOf(objectClass: ObjectClass): ObjectFamily {
  if (objectClass === 'person') return 'person'
  return objectClass === 'motorcycle' || objectClass === 'bicycle' ? 'cycle' : 'vehicle'
}

/** One object found in one frame. */
export interface Detection {
  readonly class: ObjectClass
  /** 0-1. */
  readonly score: number
  readonly box: Box
}

/** Everything that was found in one frame, in no order. */
export interface DetectedFrame {
  readonly cameraId: string
  readonly sequence: number
  readonly capturedAt: EpochMs
  readonly arrival: Arrival
  readonly detections: readonly Detection[]
}
