import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { held, runSuite, tableOf } from './run.ts'
import type { FaultSuite, Rounds } from './suite.ts'

const once = { count: 3, seed: 1, signal: new AbortController().signal }

function suiteThat(run: (rounds: Rounds) => Promise<void>): FaultSuite {
  return { name: 'made-up', fault: 'made up', counts: { short: 1, long: 1 }, run }
}

await t.test('a suite holds when it injected something and nothing came to harm', async (t) => {
  const row = await runSuite(
    suiteThat(async ({ count, tally }) => {
      tally.injected(count)
      tally.recovered(1500)
    }),
    once,
  )
  t.ok(held(row))
  t.match(tableOf([row]), /made-up\s+made up\s+3\s+0\s+0\s+0\s+0\s+1\.5 s/)
})

await t.test('a suite that injected nothing, crashed or could not run does not hold', async (t) => {
  t.notOk(
    held(
      await runSuite(
        suiteThat(async () => undefined),
        once,
      ),
    ),
  )
  const crashed = await runSuite(
    suiteThat(async ({ tally }) => {
      tally.injected()
      throw new Error('oh')
    }),
    once,
  )
  t.notOk(held(crashed))
  t.match(crashed.tally.harms.broken, [/oh/])
  const lacking = { ...suiteThat(async ({ tally }) => tally.injected()), lacking: async () => 'a saw' }
  t.notOk(held(await runSuite(lacking, once)))
})

await t.test('each harm is enough for a suite not to hold', async (t) => {
  for (const kind of ['lost', 'duplicated', 'leaked', 'broken'] as const) {
    const row = await runSuite(
      suiteThat(async ({ tally }) => {
        tally.injected()
        tally.harm(kind, 'something')
      }),
      once,
    )
    t.notOk(held(row), kind)
  }
})

await t.test(
  'what was planted and lies on the disk afterwards is a leak, unless its place is excepted',
  async (t) => {
    const leaving = (files: readonly string[], excepted: string) =>
      runSuite(
        suiteThat(async ({ folder, planted, tally }) => {
          tally.injected()
          planted.plant('the password', 'correct horse')
          planted.except(join(folder, excepted))
          // Across the border of two pieces of the search.
          for (const name of files)
            await writeFile(join(folder, name), `${'x'.repeat(2 ** 20 - 4)}correct horse`)
        }),
        once,
      )
    t.match((await leaving(['a', 'keys'], 'keys')).tally.harms.leaked, [/^the password is in .*\/a$/])
    t.ok(held(await leaving(['keys'], 'keys')))
  },
)
