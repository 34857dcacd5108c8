import type { Box, Point } from '../domain/geometry.ts'

/** A face or plate that was found in a frame. */
export interface FoundRegion {
  readonly kind: 'face' | 'plate'
  /** 0-1 of the full picture; may reach outside it. */
  readonly box: Box
  /** Where else it may reach to: the box and those nearly as sure that mean the same. */
  readonly extent: Box
  /** 0-1. */
  readonly score: number
  /** Of a plate, 0-1 of the full picture: top left, top right, bottom right, bottom left as the plate is read. */
  readonly corners?: readonly [Point, Point, Point, Point]
}
