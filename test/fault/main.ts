import { parseArgs } from 'node:util'
import { held, type Row, runSuite, tableOf } from './run.ts'
import type { FaultSuite } from './suite.ts'
import { SUITES } from './suites.ts'
import { HARMS } from './tally.ts'

/** `npm run test:fault -- [SUITE…] [--long | --rounds N] [--seed N]`: injects faults, and ends with a table of what held. */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { long: { type: 'boolean' }, rounds: { type: 'string' }, seed: { type: 'string' } },
})
const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name))
const rounds = wholeNumber('rounds', values.rounds)
const seed = wholeNumber('seed', values.seed) ?? 1
if (unknown.length > 0) usage(`there is no suite ${unknown.join(', ')}`)

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())

const rows: Row[] = []
for (const suite of SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  if (stop.signal.aborted) break
  const row = await runSuite(suite, { count: countOf(suite), seed, signal: stop.signal })
  rows.push(row)
  process.stderr.write(`${held(row) ? 'held' : 'FAILED'}  ${suite.name} (${row.seconds.toFixed(0)} s)\n`)
  if (row.lacking !== undefined) process.stderr.write(`  not run: ${row.lacking}\n`)
  for (const kind of HARMS)
    for (const what of row.tally.harms[kind]) process.stderr.write(`  ${kind}: ${what}\n`)
}
process.stdout.write(`\n${tableOf(rows)}\n`)
process.exitCode = !stop.signal.aborted && rows.every(held) ? 0 : 1

function countOf({ counts }: FaultSuite): number {
  return rounds ?? (values.long ? counts.long : counts.short)
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
