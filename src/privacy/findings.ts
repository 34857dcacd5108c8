import type { Detection } from '../domain/detection.ts'
import type { EpochMs } from '../domain/frame.ts'
import type { Box, Point } from '../domain/geometry.ts'

/** A face or plate that a network found in a full-size frame. */
export interface FoundRegion {
  readonly kind: 'face' | 'plate'
  /** Where it is; what is read is cut out here. */
  readonly box: Box
  /** How far it may reach; what is hidden is at least this. `box` where it is not given. */
  readonly extent?: Box
  /** 0-1. */
  readonly score: number
  /** The four corners of a plate, clockwise from top left, where the network gives them. */
  readonly corners?: readonly Point[]
}

/** Everything that was found in one full-size frame. A frame without findings of its own was not checked. */
export interface Findings {
  readonly sequence: number
  readonly capturedAt: EpochMs
  /** Pixels of the frame. */
  readonly width: number
  readonly height: number
  /** It shows another picture than the frame before it: nothing is followed from there. */
  readonly afterCut?: boolean
  readonly objects: readonly Detection[]
  readonly faces: readonly FoundRegion[]
  readonly plates: readonly FoundRegion[]
}

/** The same as if the search had found more. */
export function withMore(findings: Findings, more: readonly FoundRegion[]): Findings {
  return {
    ...findings,
    faces: [...findings.faces, ...more.filter(({ kind }) => kind === 'face')],
    plates: [...findings.plates, ...more.filter(({ kind }) => kind === 'plate')],
  }
}
