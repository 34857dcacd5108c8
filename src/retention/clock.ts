import type { EpochMs } from '../domain/frame.ts'
import { isPlausible } from './policy.ts'

/**
 * Says whether the clock can be right at a moment that it shows. Purge, commands, erasures, status and doctor ask the same question,
 * so that a person is told of it when they refuse.
 */
export type IsClockPlausible = (at: EpochMs) => Promise<boolean>

/**
 * No right clock is behind this. A constant of the source, since a file's time would come from the very clock that is
 * in question.
 */
export const WRITTEN_AFTER = Date.parse('2026-01-01T00:00:00Z')

/**
 * @param newestAt the latest moment on record, if there is any
 * @param isKept whether a time server keeps the clock, as whoever asks it says. Only asked where that makes a difference: it takes a
 *   program that is started.
 */
export function clockJudge({
  newestAt,
  isKept,
}: {
  readonly newestAt: () => EpochMs | undefined
  readonly isKept: () => Promise<boolean>
}): IsClockPlausible {
  return async (at) => {
    const known = { builtAt: WRITTEN_AFTER, newestAt: newestAt() }
    return isPlausible(at, known) || isPlausible(at, { ...known, isKept: await isKept() })
  }
}
