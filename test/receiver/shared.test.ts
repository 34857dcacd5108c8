import t from 'tap'
import type { StoredEvidence } from '../../src/receiver/incoming.ts'
import { loadReceiverConfig } from '../../src/receiver/config.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import { shareStreet } from '../support/city.ts'
import { setUpStreet } from '../support/delivery.ts'
import { keptLog } from '../support/kept-log.ts'
import { postgresIsLacking, startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const skip = (await postgresIsLacking()) ?? false

await t.test('three receivers share what comes, and each evidence is accepted once', { skip }, async (t) => {
  await using postgres = await startPostgres()
  await using street = await setUpStreet(t.testdir())
  await using city = await shareStreet(street, { postgres })
  const stop = new AbortController()
  const told: StoredEvidence[] = []
  const logs = [keptLog(), keptLog(), keptLog()]
  const running = logs.map(async (logger, index) => {
    const receiver = createReceiver(await loadReceiverConfig(city.configOf(index + 1)), {
      ...{ logger, now: Date.now, env: {} },
      stored: (evidence) => told.push(evidence),
      timing: {
        connection: { connectMs: 3000, publishMs: 3000 },
        reconnect: { firstMs: 50, mostMs: 200 },
        askAfterMs: 500,
      },
    })
    await receiver.run(stop.signal)
  })
  const said = (logger: ReturnType<typeof keptLog>, text: RegExp) =>
    logger.lines.some(({ message }) => text.test(message))
  await until('all listen', () => logs.every((log) => said(log, /^connected/)))
  const sealed = await Promise.all(
    Array.from({ length: 12 }, (_, index) => street.commit(20_000 + index * 97_000)),
  )
  const { forwarder } = street.startBox()
  await until('the city has them', () => forwarder.state().settled === sealed.length)
  for (const each of sealed) t.strictSame(await city.faultsOf(each), [])
  t.strictSame(told.map(({ evidenceId }) => evidenceId).sort(), sealed.map((each) => each.evidenceId).sort())
  t.ok(logs.filter((log) => said(log, /^evidence was stored/)).length > 1, 'they share the work')
  stop.abort()
  await Promise.all(running)
  t.match(
    await postgres.query(
      'SELECT (SELECT count(*) FROM roadveil.assemblies) a, (SELECT count(*) FROM roadveil.chunks) c',
    ),
    [{ a: '0', c: '0' }],
  )
})
