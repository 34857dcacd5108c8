import { runSuite } from './run.ts'
import { SUITES } from './suites.ts'

/** Runs one suite, `NAME COUNT SEED`, and sends its row to the process that forked this one. */

const [name, count, seed] = process.argv.slice(2)
const suite = SUITES.find((each) => each.name === name)
if (!suite) throw new TypeError(`there is no suite ${name}`)

const stop = new AbortController()
for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(event, () => stop.abort())
const row = await runSuite(suite, { count: Number(count), seed: Number(seed), signal: stop.signal })
process.send?.(row, () => process.disconnect())
