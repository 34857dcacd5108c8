import { setTimeout as sleep } from 'node:timers/promises'

/** Waits that double from attempt to attempt, with jitter, so that many boxes do not come back at once. */
export class Backoff {
  readonly #minMs: number
  readonly #maxMs: number
  #attempt = 0

  constructor(limits: { readonly minMs: number; readonly maxMs: number }) {
    this.#minMs = limits.minMs
    this.#maxMs = limits.maxMs
  }

  /** How long to wait before the next attempt, milliseconds: between half and all of the doubled time. */
  next(): number {
    const fullMs = Math.min(this.#maxMs, this.#minMs * 2 ** this.#attempt++)
    return Math.round(Math.max(this.#minMs, fullMs * (0.5 + Math.random() / 2)))
  }

  /** From now on the longest wait. */
  escalate(): void {
    this.#attempt = 16
  }

  /** All is well: the next failure begins with the shortest wait. */
  reset(): void {
    this.#attempt = 0
  }

  /** Waits, or returns early when the signal is aborted. */
  async wait(delayMs: number, signal: AbortSignal): Promise<void> {
    await sleep(delayMs, undefined, { signal }).catch(() => undefined)
  }
}
