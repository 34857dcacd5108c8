import type { Rounds } from './suite.ts'
import { type Harm, tallyOf } from './tally.ts'

/**
 * Shows that a suite finds what it looks for: where something is broken on purpose it must find harm of this kind.
 *
 * @param what is broken
 * @param run with a tally of its own, whose harms do not count
 */
export async function expectHarm(
  rounds: Rounds,
  kind: Harm,
  what: string,
  run: (broken: Rounds) => Promise<void>,
): Promise<void> {
  const tally = tallyOf()
  await run({ ...rounds, tally })
  if (!rounds.signal.aborted && tally.harms[kind].length === 0)
    rounds.tally.harm('broken', `the control, ${what}, counted as nothing ${kind}`)
}
