import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { MARKS_OF } from '../support/handled.ts'
import type { Row } from './run.ts'
import type { FaultSuite } from './suite.ts'
import { tallyOf } from './tally.ts'

const PROGRAM = join(import.meta.dirname, 'suite-process.ts')

/** For as many faults as a short run has; a whole short run takes at most a minute on two cores. */
const MOST_SHORT_MS = 240_000
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Runs a suite in a process of its own: its memory, its children and its crash are its own. Never throws. */
export async function runInOwnProcess(
  suite: FaultSuite,
  { count, seed, signal }: { readonly count: number; readonly seed: number; readonly signal: AbortSignal },
): Promise<Row> {
  const { name, fault, counts } = suite
  const began = performance.now()
  // What one suite plants, others beside it may have.
  const env = { ...process.env, [MARKS_OF]: randomUUID() }
  const child = fork(PROGRAM, [name, String(count), String(seed)], { env })
  const stop = (): void => void child.kill()
  signal.addEventListener('abort', stop)
  const patienceMs = MOST_SHORT_MS * Math.ceil(count / counts.short)
  const hung = AbortSignal.timeout(Math.min(LONGEST_TIMER_MS, patienceMs))
  hung.addEventListener('abort', () => void child.kill('SIGKILL'))
  let row: Row | undefined
  child.once('message', (message) => (row = message as Row))
  try {
    const [code, by] = (await once(child, 'exit')) as [number | null, string | null]
    if (row) return row
    const tally = tallyOf()
    tally.harm('broken', hung.aborted ? 'the suite hung' : `the suite's process ended with ${code ?? by}`)
    return { name, fault, tally, lacking: undefined, seconds: (performance.now() - began) / 1000 }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
