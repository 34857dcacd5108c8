import { randomUUID } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askVault } from '../../../src/channel/control.ts'
import type { Config } from '../../../src/config/config.ts'
import { loadReceiverConfig } from '../../../src/receiver/config.ts'
import { createReceiver } from '../../../src/receiver/receiver.ts'
import { reportAudit } from '../../../src/vault/audit.ts'
import { loadStoreKeys } from '../../../src/vault/keys.ts'
import { boxConfig } from '../../support/box.ts'
import { keptLog } from '../../support/kept-log.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { until, untilNoneLeft } from '../../support/until.ts'
import { expectHarm } from '../control.ts'
import type { Dice } from '../dice.ts'
import { openAsVault } from '../power/open-as-vault.ts'
import type { Rounds } from '../suite.ts'
import { startVictim, type Victim } from './process.ts'
import { PLATE } from './plate.ts'

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

  const atCity = new Map<string, number>()
  const ending = new AbortController()
  const receiver = createReceiver(await loadReceiverConfig(trial.city.config), {
    ...{ logger: keptLog(), now: Date.now, env: {} },
    stored: ({ evidenceId }) => void atCity.set(evidenceId, (atCity.get(evidenceId) ?? 0) + 1),
  })
  const receiving = receiver.run(ending.signal)

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
    ending.abort()
    await receiving
  }
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

/** Everything acknowledged is at the city, and everything there came once; the box's record says so, too. */
async function prove(
  config: Config,
  {
    acknowledged,
    atCity,
    evidence,
  }: { acknowledged: ReadonlySet<string>; atCity: ReadonlyMap<string, number>; evidence: string },
  tally: Rounds['tally'],
): Promise<void> {
  // A box that gets to nothing between two kills loses nothing, either.
  if (acknowledged.size < 8) tally.harm('broken', `only ${acknowledged.size} evidence were acknowledged`)
  using store = openAsVault(config)
  const halves = readdirSync(dirname(config.store.file)).filter((name) => name.includes('.next'))
  if (halves.length > 0) tally.harm('broken', `${halves.join(', ')} is left of changes of keys`)
  const waiting = new Set(store.inventory.list().map(({ evidenceId }) => evidenceId))
  const folders = new Set(readdirSync(evidence))
  for (const id of acknowledged) {
    if (waiting.has(id)) continue
    if (!atCity.has(id) || !folders.has(id))
      tally.harm('lost', `${id} is neither in the store nor at the city`)
    if (!store.evidence.has(id)) tally.harm('lost', `nothing of ${id} is left on record`)
  }
  for (const [id, times] of atCity)
    if (times > 1) tally.harm('duplicated', `the city accepted ${id} ${times} times`)
  const { signers } = loadStoreKeys(config, {})
  const checked = { store, deviceId: config.device.id, signers }
  const { faults, rows } = await reportAudit(checked, { signal: new AbortController().signal })
  for (const { message } of faults) tally.harm('broken', `the audit log: ${message}`)
  const delivered = store.audit.list(rows).filter(({ kind }) => kind === 'evidence-delivered')
  const ids = delivered.map(({ details }) => details['evidenceId'])
  if (new Set(ids).size !== ids.length) tally.harm('duplicated', 'the record has an evidence delivered twice')
}
