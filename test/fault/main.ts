import { parseArgs } from 'node:util'
import { runInOwnProcess } from './own-process.ts'
import { held, type Row, tableOf } from './run.ts'
import type { FaultSuite } from './suite.ts'
import { SUITES } from './suites.ts'
import { HARMS } from './tally.ts'

/** `npm run test:fault -- [SUITE…] [--long | --rounds N] [--seed N]`: injects faults, and ends with a table of what held. */

/** Suites wait for processes more than they compute. */
const AT_ONCE = 3

const { values, positionals } = parsed()
const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name))
const rounds = wholeNumber('rounds', values.rounds)
const seed = wholeNumber('seed', values.seed) ?? 1
if (unknown.length > 0) usage(`there is no suite ${unknown.join(', ')}`)

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())

const suites = SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const rows = new Map<FaultSuite, Row>()
const waiting = suites.values()
await Promise.all(Array.from({ length: AT_ONCE }, runWaiting))
const inOrder = suites.flatMap((suite) => rows.get(suite) ?? [])
process.stdout.write(`\n${tableOf(inOrder)}\n`)
process.exitCode = !stop.signal.aborted && inOrder.every(held) ? 0 : 1

async function runWaiting(): Promise<void> {
  for (const suite of waiting) {
    if (stop.signal.aborted) return
    const row = await runInOwnProcess(suite, { count: countOf(suite), seed, signal: stop.signal })
    rows.set(suite, row)
    report(row)
  }
}

function report(row: Row): void {
  process.stderr.write(`${held(row) ? 'held' : 'FAILED'}  ${row.name} (${row.seconds.toFixed(0)} s)\n`)
  if (row.lacking !== undefined) process.stderr.write(`  not run: ${row.lacking}\n`)
  for (const kind of HARMS)
    for (const what of row.tally.harms[kind]) process.stderr.write(`  ${kind}: ${what}\n`)
}

function countOf({ counts }: FaultSuite): number {
  return rounds ?? (values.long ? counts.long : counts.short)
}

function parsed() {
  const options = { long: { type: 'boolean' }, rounds: { type: 'string' }, seed: { type: 'string' } } as const
  try {
    return parseArgs({ allowPositionals: true, options })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) usage(`--${name} takes a whole number from 1`)
  return Number(text)
}

function usage(fault: string): never {
  process.stderr.write(`${fault}\n`)
  process.stderr.write('usage: npm run test:fault -- [SUITE…] [--long | --rounds N] [--seed N]\n')
  process.stderr.write(`suites: ${SUITES.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
