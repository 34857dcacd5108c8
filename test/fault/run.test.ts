import { readFileSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { statusTopic } from '../../src/protocol/topics.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { openTestStore, sealedFixture } from '../store/store.fixture.ts'
import { brokerlessTrial } from '../support/box.ts'
import { setUpStreet, STATION } from '../support/delivery.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { tellHandled } from '../support/handled.ts'
import { keptLog } from '../support/kept-log.ts'
import { until } from '../support/until.ts'
import { held, runSuite, tableOf } from './run.ts'
import type { FaultSuite, Rounds } from './suite.ts'
import { fuzz } from './suites/fuzz.ts'

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

await t.test(
  'what fixtures give the program is planted for every suite, and found wherever it is',
  async (t) => {
    const leaking = async (leak: (rounds: Rounds, trial: Trial) => Promise<void> | void) => {
      const suite = suiteThat(async (rounds) => {
        rounds.tally.injected()
        await leak(rounds, await brokerlessTrial(rounds.folder, { site: 'a', device: 'b' }))
      })
      return (await runSuite(suite, once)).tally.harms.leaked
    }
    t.same(await leaking(() => undefined), [], 'keys in their own files are none')
    const key = ({ box }: Trial): Buffer => readFileSync(box.deviceKey)
    t.match(await leaking(({ folder }, trial) => writeFile(join(folder, 'a'), key(trial))), [
      /^the device key is in .*\/a$/,
    ])
    const { facts, files } = syntheticEvidence()
    for (const { name, bytes } of files)
      t.match(
        await leaking(({ folder }) => writeFile(join(folder, name), bytes)),
        [/^a picture is in /],
        name,
      )
    const plate = facts.plate.text ?? ''
    t.match(await leaking(() => keptLog().warn(`the plate ${plate}`)), ['the usual plate is in a log'])
    const [chunk = Buffer.alloc(0)] = sealedFixture().chunks
    t.match(await leaking(({ folder }) => writeFile(join(folder, 'b'), chunk)), [
      /^sealed bytes is in .*\/b$/,
    ])
    t.match(
      await leaking(({ folder }) => {
        using store = openTestStore(folder)
        writeFileSync(join(folder, 'c'), Buffer.alloc(32, 7))
        store.audit.verify()
      }),
      [/^the key of a test store is in .*\/c$/],
    )
    const sent = { kind: 'text', where: 'what went over the broker' } as const
    t.match(await leaking((_, trial) => tellHandled({ ...sent, text: key(trial) })), [
      'the device key is in what went over the broker',
    ])
  },
)

await t.test(
  'what goes over any broker of a suite is searched, also over one that was killed and started again',
  async (t) => {
    for (const isKilled of [false, true]) {
      const suite = suiteThat(async ({ folder, tally }) => {
        tally.injected()
        await using street = await setUpStreet(folder)
        if (isKilled) {
          await street.broker.kill()
          await street.broker.restart()
        }
        const secret = readFileSync(street.trial.box.deviceKey)
        // A broker that has just been started may still close the door.
        const say = async (): Promise<void> => {
          await using box = await street.connectAs('box')
          await box.publish(statusTopic(STATION), secret)
        }
        await until('the watch is there', async () => {
          await say().catch(() => undefined)
          return tally.harms.leaked.length > 0
        })
      })
      const { harms } = (await runSuite(suite, once)).tally
      t.same(harms.broken, [])
      t.same(harms.leaked, ['the device key is in what went over the broker'])
    }
  },
)

await t.test('fuzz shoots as often as it says at each of its targets', async (t) => {
  t.same(fuzz.counts, { short: 1_000, long: 10_000 })
  const one = await runSuite(fuzz, { ...once, count: 1 })
  const five = await runSuite(fuzz, { ...once, count: 5 })
  t.ok(one.tally.injections >= 6)
  t.equal(five.tally.injections, 5 * one.tally.injections)
})
