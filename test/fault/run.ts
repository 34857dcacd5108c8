import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diceOf } from './dice.ts'
import { watchMachine } from './machine.ts'
import { plantHandled } from './plant-handled.ts'
import { plantedSecrets } from './planted.ts'
import type { FaultSuite } from './suite.ts'
import { type Count, HARMS, tallyOf } from './tally.ts'

/** How a suite ended. */
export interface Row {
  readonly name: string
  readonly fault: string
  readonly tally: Count
  /** What the machine lacks, where the suite did not run. */
  readonly lacking: string | undefined
  readonly seconds: number
}

/** Whether everything held: the suite ran, injected something, and found no harm. */
export function held({ tally, lacking }: Row): boolean {
  return (
    lacking === undefined && tally.injections > 0 && HARMS.every((kind) => tally.harms[kind].length === 0)
  )
}

/**
 * Runs one suite in a folder of its own, and searches that folder, temporary files, core dumps and process lists for what it and its
 * fixtures planted; logs and what goes over a broker while it runs.
 * Never throws: a crash is a harm.
 */
export async function runSuite(
  suite: FaultSuite,
  { count, seed, signal }: { readonly count: number; readonly seed: number; readonly signal: AbortSignal },
): Promise<Row> {
  const { name, fault } = suite
  const tally = tallyOf()
  const began = performance.now()
  const row = (lacking?: string): Row => ({
    ...{ name, fault, tally, lacking },
    seconds: (performance.now() - began) / 1000,
  })
  const lacking = await suite.lacking?.()
  if (lacking !== undefined) return row(lacking)
  const folder = await mkdtemp(join(tmpdir(), 'rvf-'))
  using watch = watchMachine(folder)
  try {
    const planted = plantedSecrets()
    using stack = new DisposableStack()
    stack.use(plantHandled(planted, tally))
    await suite.run({ folder, count, dice: diceOf(seed), tally, planted, signal })
    const hits = [...(await planted.search([folder])), ...(await watch.search(planted))]
    for (const hit of hits) tally.harm('leaked', hit)
  } catch (error) {
    tally.harm('broken', inWords(error))
  }
  await rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
    tally.harm('broken', inWords(error)),
  )
  return row()
}

function inWords(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** The table of all rows, one line a suite. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { tally, lacking } = row
    if (lacking !== undefined) return [row.name, row.fault, 'not run', ...HARMS.map(() => '-'), '-', '-']
    const harms = HARMS.map((kind) => String(tally.harms[kind].length))
    const recovery =
      tally.slowestRecoveryMs === null ? '-' : `${(tally.slowestRecoveryMs / 1000).toFixed(1)} s`
    return [row.name, row.fault, String(tally.injections), ...harms, recovery, `${row.seconds.toFixed(0)} s`]
  })
  const all = [['suite', 'fault', 'injected', ...HARMS, 'recovery', 'took'], ...cells]
  const widths = (all[0] ?? []).map((_, at) => Math.max(...all.map((line) => line[at]?.length ?? 0)))
  return all
    .map((line) =>
      line.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))),
    )
    .map((line) => line.join('  ').trimEnd())
    .join('\n')
}
