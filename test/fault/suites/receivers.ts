import { join } from 'node:path'
import { type RoadveilProcess, startRoadveil } from '../../cli/roadveil.ts'
import { shareStreet } from '../../support/city.ts'
import { setUpStreet } from '../../support/delivery.ts'
import { postgresIsLacking, startPostgres } from '../../support/postgres.ts'
import { S3_KEY, startS3 } from '../../support/s3-server.ts'
import { until } from '../../support/until.ts'
import type { SealedEvidence } from '../../../src/sealing/seal.ts'
import { pause } from '../../../src/waiting.ts'
import type { FaultSuite } from '../suite.ts'

const RECEIVERS = 3
/** Evidence on its way at once; the box forgets what is confirmed. */
const MOST_WAITING = 12

function listens(receiver: RoadveilProcess): boolean {
  return receiver.output().stderr.includes('connected to the broker')
}

/** A city's receivers share the load of one box, and are killed while they work: one after the other, sometimes all. */
export const receivers: FaultSuite = {
  name: 'receivers',
  fault: 'one of three receivers killed (-9) while evidence comes in',
  counts: { short: 20, long: 500 },
  lacking: postgresIsLacking,
  async run({ folder, count, dice, tally, planted, signal }) {
    await using postgres = await startPostgres()
    // As over a network: so that a kill often falls into the middle of an evidence.
    await using bucket = await startS3(() => dice.between(0, 40))
    await using street = await setUpStreet(folder)
    await using city = await shareStreet(street, { postgres, bucket })
    planted.plant('the key of the store', S3_KEY.secretKey)
    for (const name of ['bucket.secret', 'database.url'])
      planted.except(join(street.trial.city.directory, name))
    const running: RoadveilProcess[] = []
    const ended: RoadveilProcess[] = []
    await using stack = new AsyncDisposableStack()
    stack.defer(async () => {
      for (const each of running) each.kill('SIGKILL')
      for (const each of [...running, ...ended]) await each.ended
    })
    const start = (index: number): void => {
      running[index] = startRoadveil(['receive', '--json', '--config', city.configOf(index + 1)])
    }
    /** One that is still starting has nothing to lose. */
    const kill = async (index: number): Promise<void> => {
      const victim = running[index]
      if (!victim) return
      await until('it listens', () => listens(victim) || signal.aborted)
      victim.kill('SIGKILL')
      ended.push(victim)
      tally.injected()
      start(index)
    }

    for (let index = 0; index < RECEIVERS; index++) start(index)
    const { forwarder } = street.startBox()
    const sealed: SealedEvidence[] = []
    let lastKillAt = 0
    for (let round = 0; round < count && !signal.aborted; round++) {
      if (sealed.length - forwarder.state().settled < MOST_WAITING)
        sealed.push(await street.commit(dice.between(20_000, 700_000)))
      await pause(dice.between(0, 400), signal)
      // All at once: then only the box knows.
      if (dice.chance(0.05) && count - round >= RECEIVERS) {
        for (let index = 0; index < RECEIVERS; index++) await kill(index)
        round += RECEIVERS - 1
      } else await kill(dice.between(0, RECEIVERS - 1))
      lastKillAt = performance.now()
    }
    const confirmed = (): boolean => forwarder.state().settled >= sealed.length
    await until('all is confirmed', () => confirmed() || signal.aborted).catch(() => {
      tally.harm('lost', `${sealed.length - forwarder.state().settled} never confirmed`)
    })
    if (signal.aborted) return
    tally.recovered(performance.now() - lastKillAt)
    for (const each of sealed) {
      for (const fault of await city.faultsOf(each))
        tally.harm(/accepted/.test(fault) ? 'duplicated' : 'lost', fault)
    }
    const outputs = (): string[] => [...ended, ...running].map((each) => each.output().stdout)
    const told = (): boolean =>
      sealed.every(({ evidenceId }) => outputs().some((text) => text.includes(evidenceId)))
    await until('the back office was told of all', told, { withinMs: 20_000 }).catch(() => {
      tally.harm('broken', 'the back office was not told of all')
    })
    for (const { stdout, stderr } of [...ended, ...running].map((each) => each.output())) {
      for (const hit of planted.within('the output of a receiver', stdout + stderr)) tally.harm('leaked', hit)
    }
    const { length: rows } = await postgres.query('SELECT 1 FROM roadveil.evidence')
    if (rows !== sealed.length)
      tally.harm('broken', `${rows} rows say that ${sealed.length} evidence were accepted`)
  },
}
