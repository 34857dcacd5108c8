import t from 'tap'
import type { SelftestReport } from '../../../src/channel/messages.ts'
import { loadManifest } from '../../../src/models/manifest.ts'
import { MANIFEST_FILE } from '../../../src/models/source.ts'
import { type SelftestFigures, shortfalls } from '../../../src/vision/selftest/figures.ts'
import { type Verdict, awaitVerdict } from '../../../src/vision/selftest/verdict.ts'
import { keptLog } from '../../support/kept-log.ts'

const whole = { right: 100, all: 100 }
const good: SelftestFigures = {
  ...{ violations: 1, rightVehicle: true, plateRead: true, leaks: [], hiddenArea: 0.01 },
  ...{ vehicles: whole, persons: whole, faces: whole, plates: whole, offenderPlate: whole },
}

await t.test(
  'figures fall short where a person could be read, a vehicle wronged or a rule missed',
  async (t) => {
    t.same(shortfalls(good), [])
    for (const [change, reason] of [
      [{ violations: 0 }, /^0 violations/],
      [{ violations: 2 }, /^2 violations/],
      [{ rightVehicle: false }, /^1 violations/],
      [{ plateRead: false }, /plate was not read/],
      [{ faces: { right: 80, all: 100 } }, /^faces hidden 80.0 %/],
      [{ plates: { right: 80, all: 100 } }, /^bystanders' plates hidden 80.0 %/],
      [{ offenderPlate: { right: 10, all: 100 } }, /^offender's plate readable 10.0 %/],
      [{ hiddenArea: 0.5 }, /^50.0 % of the picture hidden/],
    ] as const) {
      const short = shortfalls({ ...good, ...change })
      t.equal(short.length, 1)
      t.match(short[0], reason)
    }
  },
)

/** A vault that knows what passed before, and a self-test with a known end. */
async function verdictOf(
  passedBy: Promise<string | null>,
  run: () => Promise<SelftestFigures>,
  signal = new AbortController().signal,
): Promise<{ verdict: Verdict; reports: SelftestReport[] }> {
  const reports: SelftestReport[] = []
  const link = {
    selftestPassedBy: passedBy,
    reportSelftest: (report: SelftestReport) => void reports.push(report),
  }
  const manifest = await loadManifest(MANIFEST_FILE)
  return { verdict: awaitVerdict({ link, manifest, runSelftest: run, logger: keptLog() }, signal), reports }
}

await t.test('networks that are new here run the self-test, and once they passed they do not', async (t) => {
  const first = await verdictOf(Promise.resolve(null), async () => good)
  await first.verdict.passed
  t.equal(first.verdict.state, 'passed')
  t.match(first.reports, [{ passed: true }])

  const known = first.reports[0]?.subjectSha256 ?? null
  const again = await verdictOf(Promise.resolve(known), async () => t.fail('it ran again') as never)
  await again.verdict.passed
  t.same(again.reports, [])

  const other = await verdictOf(Promise.resolve('0'.repeat(64)), async () => good)
  await other.verdict.passed
  t.equal(other.reports.length, 1, 'what passed were other networks')
})

await t.test(
  'nobody is enforced against by networks that fall short, or whose test could not be run',
  async (t) => {
    const short = await verdictOf(Promise.resolve(null), async () => ({ ...good, plateRead: false }))
    await t.rejects(short.verdict.passed, { code: 'ERR_SELFTEST_FAILED' })
    t.equal(short.verdict.state, 'failed')
    t.match(short.reports, [{ passed: false }])

    const broken = await verdictOf(Promise.resolve(null), async () =>
      Promise.reject(new Error('out of memory')),
    )
    await t.rejects(broken.verdict.passed, { code: 'ERR_SELFTEST_FAILED' })
    t.same(broken.reports, [], 'it is tried again at the next start')
  },
)

await t.test('a stop during the self-test is no failure of the networks', async (t) => {
  const stop = new AbortController()
  const { verdict, reports } = await verdictOf(new Promise(() => undefined), async () => good, stop.signal)
  t.equal(verdict.state, 'running')
  stop.abort()
  await t.rejects(verdict.passed, { code: 'ERR_STOPPED' })
  t.same(reports, [])
})
