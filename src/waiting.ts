import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Milliseconds to wait before try number `attempt` + 1, where `attempt` counts the failures so far (1 or more).
 *
 * Doubles from `firstMs` up to `mostMs` and takes a random half of it away, so that 500 boxes that lost the same broker
 * do not come back in the same second ("equal jitter", AWS Architecture Blog, Exponential Backoff and Jitter).
 */
export function backoffMs(attempt: number, firstMs: number, mostMs: number, random = Math.random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 40))
  return Math.round(full / 2 + (full / 2) * random())
}

/** Waits, or returns early when the signal is aborted. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => undefined)
}

/** Resolves when the signal is aborted. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
