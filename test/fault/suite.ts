import type { Dice } from './dice.ts'
import type { Planted } from './planted.ts'
import type { Tally } from './tally.ts'

/** What a round of faults has at hand. */
export interface Rounds {
  /** Empty, of mode 0700, with a short path; deleted afterwards. */
  readonly folder: string
  /** How many faults to inject. */
  readonly count: number
  /** The only source of chance: a seed repeats a run. */
  readonly dice: Dice
  readonly tally: Tally
  /** What nobody may find afterwards; searched for on the disk when the suite has ended. */
  readonly planted: Planted
  /** Aborts when the run is stopped: end what was started, and return. */
  readonly signal: AbortSignal
}

/** One kind of fault, and what must hold while it happens: a row of the table. */
export interface FaultSuite {
  /** How it is called on the command line. */
  readonly name: string
  /** What is done, for the table. */
  readonly fault: string
  /** How many faults a run in CI injects, and one by hand. */
  readonly counts: { readonly short: number; readonly long: number }
  /** Says what this machine lacks, where it can't inject the fault. */
  lacking?(): Promise<string | undefined>
  /** Injects `count` faults, counts each in the tally, and reports there what did not hold. Throws only on its own mistakes. */
  run(rounds: Rounds): Promise<void>
}
