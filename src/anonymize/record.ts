import type { Region } from '../domain/evidence.ts'
import type { Box } from '../domain/geometry.ts'

/** A box in whole pixels of the picture that was written. */
export interface PixelPlace {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** One hidden place, as the report says it. */
export interface HiddenRegion {
  readonly class: Region['kind']
  readonly box: PixelPlace
  /** 0-1. */
  readonly score: number
  /** Found in this very frame, followed to from another, or where a face or plate must be. */
  readonly why: Region['source']
}

/** One picture or frame, as the report says it. */
export interface FrameRecord {
  /** From 0. */
  readonly frame: number
  /** Seconds from the first frame. */
  readonly seconds: number
  readonly regions: readonly HiddenRegion[]
  /** The one plate that was left readable. */
  readonly keptPlate: PixelPlace | null
}

/** What the second search of what was written said. */
export interface Verification {
  /** Pictures or frames that were searched again, decoded as anybody would get them. */
  readonly checkedFrames: number
  /** In so many of them something was found, which was then hidden, too; after that nothing was found any more. */
  readonly repairedFrames: number
}

export interface FramePlace {
  readonly number: number
  readonly capturedAt: number
  readonly width: number
  readonly height: number
}

/** Writes down what was hidden in one frame. */
export function recordFrame(
  frame: FramePlace,
  regions: readonly Region[],
  kept: Box | undefined,
): FrameRecord {
  return {
    frame: frame.number,
    seconds: frame.capturedAt / 1000,
    regions: regions.map(({ kind, box, score, source }) => ({
      ...{ class: kind, box: placeOf(box, frame), score: Math.round(score * 1000) / 1000, why: source },
    })),
    keptPlate: kept ? placeOf(kept, frame) : null,
  }
}

/** The pixels that a box touches, as redaction counts them. */
export function placeOf(box: Box, { width, height }: Pick<FramePlace, 'width' | 'height'>): PixelPlace {
  const within = (value: number, limit: number): number => Math.min(limit, Math.max(0, value))
  const x = within(Math.floor(box.x * width), width)
  const y = within(Math.floor(box.y * height), height)
  return {
    ...{ x, y },
    width: within(Math.ceil((box.x + box.w) * width), width) - x,
    height: within(Math.ceil((box.y + box.h) * height), height) - y,
  }
}
