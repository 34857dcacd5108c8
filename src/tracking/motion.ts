import type { EpochMs } from '../domain/frame.ts'
import type { Box } from '../domain/geometry.ts'

/**
 * Where a box is and how it moves, by an alpha-beta filter on centre and size: a Kalman filter of constant velocity with
 * its gains settled, which is all that boxes at 5 frames a second can use.
 */
export interface Motion {
  readonly at: EpochMs
  readonly box: Box
  /** Per second, in shares of the picture. */
  readonly vx: number
  readonly vy: number
}

/** How far a measurement pulls place, size and speed. A box that approaches doubles in a second: sizes must keep up. */
const PLACE_GAIN = 0.8
const SIZE_GAIN = 0.7
const SPEED_GAIN = 0.4

/** A prediction reaches no further: a lost vehicle is not chased across the picture. */
const MAX_PREDICTION_S = 1

export function startMotion(box: Box, at: EpochMs): Motion {
  return { at, box, vx: 0, vy: 0 }
}

/** The box at a later time if it moves on as it did. */
export function predict(motion: Motion, at: EpochMs): Box {
  const seconds = Math.min(MAX_PREDICTION_S, (at - motion.at) / 1000)
  return { ...motion.box, x: motion.box.x + motion.vx * seconds, y: motion.box.y + motion.vy * seconds }
}

/** The motion after a measurement. Boxes jitter in size more than in place, hence the smaller gain. */
export function correct(motion: Motion, measured: Box, at: EpochMs): Motion {
  const seconds = (at - motion.at) / 1000
  if (seconds <= 0) return { ...motion, at, box: measured }
  const expected = predict(motion, at)
  const w = blend(expected.w, measured.w, SIZE_GAIN)
  const h = blend(expected.h, measured.h, SIZE_GAIN)
  // Centres and feet are measured better than corners.
  const cx = blend(expected.x + expected.w / 2, measured.x + measured.w / 2, PLACE_GAIN)
  const footY = blend(expected.y + expected.h, measured.y + measured.h, PLACE_GAIN)
  const box = { x: cx - w / 2, y: footY - h, w, h }
  const vx = blend(motion.vx, (box.x + w / 2 - (motion.box.x + motion.box.w / 2)) / seconds, SPEED_GAIN)
  const vy = blend(motion.vy, (box.y + h - (motion.box.y + motion.box.h)) / seconds, SPEED_GAIN)
  return { at, box, vx, vy }
}

function blend(old: number, measured: number, gain: number): number {
  return old + (measured - old) * gain
}
