/** What a fault must never do; a column of the table each. */
export const HARMS = ['lost', 'duplicated', 'leaked', 'broken'] as const
export type Harm = (typeof HARMS)[number]

/** What a suite did and what went wrong. */
export interface Count {
  readonly injections: number
  readonly harms: Readonly<Record<Harm, readonly string[]>>
  /** The longest time from a fault until everything worked again, in ms; null when nothing was measured. */
  readonly slowestRecoveryMs: number | null
}

/** Counts it. */
export interface Tally extends Count {
  injected(count?: number): void
  /**
   * Something did not hold. `lost`: acknowledged evidence is gone. `duplicated`: the city accepted one twice. `leaked`: something
   * planted was found. `broken`: anything else that must hold.
   */
  harm(kind: Harm, what: string): void
  /** Everything works again, this long after the fault. */
  recovered(ms: number): void
}

export function tallyOf(): Tally {
  const harms: Record<Harm, string[]> = { lost: [], duplicated: [], leaked: [], broken: [] }
  let injections = 0
  let slowest: number | null = null
  return {
    get injections() {
      return injections
    },
    harms,
    get slowestRecoveryMs() {
      return slowest
    },
    injected(count = 1) {
      injections += count
    },
    harm(kind, what) {
      harms[kind].push(what)
    },
    recovered(ms) {
      slowest = Math.max(slowest ?? 0, ms)
    },
  }
}
