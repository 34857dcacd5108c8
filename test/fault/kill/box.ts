import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askVault } from '../../../src/channel/control.ts'
import type { Config } from '../../../src/config/config.ts'
import { boxConfig } from '../../support/box.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { until, untilNoneLeft } from '../../support/until.ts'
import { expectHarm } from '../control.ts'
import type { Dice } from '../dice.ts'
import type { Rounds } from '../suite.ts'
import { startCity } from './city.ts'
import { startVictim, type Victim } from './process.ts'
import { PLATE } from './plate.ts'
import { prove } from './proof.ts'

const NAMES = { site: 'main-street', device: 'box-1' }
const VAULT = join(import.meta.dirname, '..', '..', 'support', 'vault-process.ts')
const STAND_IN = join(import.meta.dirname, 'stand-in.ts')
const KEY_CHANGER = join(import.meta.dirname, 'key-changer.ts')
const BACK_WITHIN_MS = 10_000

/** What is killed, and how much of it. */
type Kind = 'vault' | 'vision' | 'both' | 'keys'

/**
 * Kills vault, what stands in for vision, both, or a change of keys at random moments, while evidence comes in, is sealed, sent and
 * confirmed by a real broker and receiver, and every start purges. In the end everything acknowledged is at the city, once.
 */
export async function killBox(rounds: Rounds, count: number): Promise<void> {
  const { folder, dice, tally, planted, signal } = rounds
  await using broker = await startMosquitto(join(folder, 'trial'), NAMES)
  const { trial } = broker
  planted.plant('the plate', PLATE)
  planted.except(trial.city.evidence)
  const made = boxConfig(trial, NAMES)
  // Every start finds a slot that it has missed, and purges.
  const config: Config = { ...made, retention: { ...made.retention, schedule: '* * * * * *' } }
  const file = join(folder, 'config.json')
  writeFileSync(file, JSON.stringify(config))
  const cache = join(folder, 'compiled')

  await using city = await startCity(trial)
  const acknowledged = new Set<string>()
  let killedAt: number | undefined
  const hear = (line: string): void => {
    const [word, id = ''] = line.split(' ')
    if (word !== 'stored') {
      tally.harm('broken', `vault ${line} what the stand-in sent`)
      return
    }
    acknowledged.add(id)
    if (killedAt === undefined) return
    const ms = performance.now() - killedAt
    killedAt = undefined
    tally.recovered(ms)
    if (ms > BACK_WITHIN_MS) tally.harm('broken', `back at work only after ${Math.round(ms)} ms`)
  }
  const startVault = (): Victim => startVictim([VAULT, file], { cache })
  const startVision = (): Victim => startVictim([STAND_IN, file], { cache, onLine: hear })
  const atWork = async (what: string): Promise<void> =>
    until(`vault works again after ${what}`, () => killedAt === undefined, { withinMs: 2 * BACK_WITHIN_MS })

  let [vault, vision] = [startVault(), startVision()]
  try {
    await until('the first evidence is stored', () => acknowledged.size > 0)
    // In order, once, so that what was compiled is kept.
    await Promise.all([vault.stop(), vision.stop()])
    ;[vault, vision] = [startVault(), startVision()]
    for (let round = 0; round < count && !signal.aborted; round++) {
      await sleep(dice.between(50, 600))
      const kind = kindOf(dice)
      if (kind === 'vision' || kind === 'both') await vision.kill()
      if (kind !== 'vision') await vault.kill()
      tally.injected()
      if (kind === 'keys') await killKeyChange(dice, { file, cache })
      killedAt = performance.now()
      if (vault.isGone) vault = startVault()
      if (vision.isGone) vision = startVision()
      if (round % 6 === 5) await atWork(`the end of ${kind}`)
    }
    await atWork('all of it')
    await vision.kill()
    const outbox = async (): Promise<number> =>
      askVault(config.runtimeDirectory, { verb: 'status' }).then(
        ({ store }) => store.outbox,
        () => Infinity,
      )
    await untilNoneLeft('everything is delivered', outbox)
  } finally {
    await Promise.all([vault.kill(), vision.kill()])
  }
  const { atCity } = city
  const proof = { acknowledged, atCity, evidence: join(trial.city.evidence, NAMES.site, NAMES.device) }
  await prove(config, proof, tally)
  const [first = ''] = acknowledged
  const gone = { ...proof, acknowledged: new Set([...acknowledged, randomUUID()]) }
  await expectHarm(rounds, 'lost', 'a vault that forgot what it acknowledged', (broken) =>
    prove(config, gone, broken.tally),
  )
  const twice = { ...proof, atCity: new Map([...atCity, [first, 2] as const]) }
  await expectHarm(rounds, 'duplicated', 'a city that accepted one twice', (broken) =>
    prove(config, twice, broken.tally),
  )
}

function kindOf(dice: Dice): Kind {
  return dice.pick(['vault', 'vault', 'vault', 'vault', 'vision', 'both', 'keys', 'keys'] as const)
}

/** vault is off, as it has to be: a change of keys takes its place, and dies, too. */
async function killKeyChange(dice: Dice, { file, cache }: { file: string; cache: string }): Promise<void> {
  let begun = false
  const change = startVictim([KEY_CHANGER, file, String(dice.between(0, 1e9))], {
    cache,
    onLine: () => (begun = true),
  })
  await until('keys are being changed', () => begun, { everyMs: 2 })
  await sleep(dice.between(0, 250))
  await change.kill()
}
