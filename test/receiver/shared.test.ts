import t from 'tap'
import type { StoredEvidence } from '../../src/receiver/incoming.ts'
import { loadReceiverConfig } from '../../src/receiver/config.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import { type RoadveilProcess, startRoadveil } from '../cli/roadveil.ts'
import { shareStreet } from '../support/city.ts'
import { setUpStreet } from '../support/delivery.ts'
import { keptLog } from '../support/kept-log.ts'
import { postgresIsLacking, startPostgres } from '../support/postgres.ts'
import { startS3 } from '../support/s3-server.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)
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

await t.test('receivers that are killed lose nothing and accept nothing twice', { skip }, async (t) => {
  await using postgres = await startPostgres()
  await using bucket = await startS3()
  await using street = await setUpStreet(t.testdir())
  await using city = await shareStreet(street, { postgres, bucket })
  const start = (number: number): RoadveilProcess =>
    startRoadveil(['receive', '--json', '--config', city.configOf(number)])
  const receivers = [start(1), start(2)]
  const listening = (each: RoadveilProcess) => each.output().stderr.includes('connected to the broker')
  await until('both listen', () => receivers.every(listening))
  const sealed = await Promise.all(Array.from({ length: 16 }, () => street.commit(600_000)))
  const { forwarder } = street.startBox()
  const ended: RoadveilProcess[] = []
  for (const count of [2, 5, 8]) {
    await until('some have arrived', () => forwarder.state().settled >= count)
    const index = ended.length % receivers.length
    const victim = receivers[index] as RoadveilProcess
    victim.kill('SIGKILL')
    ended.push(victim)
    receivers[index] = start(index + 1)
  }
  await until('the city has them', () => forwarder.state().settled === sealed.length)
  for (const each of sealed) t.strictSame(await city.faultsOf(each), [])
  const accepted = await postgres.query('SELECT evidence_id FROM roadveil.evidence')
  t.equal(accepted.length, sealed.length)
  const told = (): Set<string> =>
    new Set(
      [...ended, ...receivers]
        .flatMap((each) => each.output().stdout.trim().split('\n'))
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { id: string }).id),
    )
  await until('the back office was told of all', () => told().size === sealed.length)
  for (const each of receivers) each.kill('SIGTERM')
  for (const each of [...ended, ...receivers]) await each.ended
})
