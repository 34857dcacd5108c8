import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../../../src/config/config.ts'
import { loadStoreKeys } from '../../../src/vault/keys.ts'
import { boxConfig, brokerlessTrial } from '../../support/box.ts'
import { expectHarm } from '../control.ts'
import { cutInto, isBallast, type Left, type Recorded, testStoreIn } from '../power/cuts.ts'
import { diskAt } from '../power/disk.ts'
import { openAsVault } from '../power/open-as-vault.ts'
import { lackingForRecordings, record, type Step } from '../power/recording.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

const CUTS_PER_RECORDING = 10
const CONTROL_CUTS = 10
const WRITERS = join(import.meta.dirname, '..', 'power')
const NAMES = { site: 'main-street', device: 'box-1' }

/** The store, its keys and its files when the current goes: what was not synced is gone, or torn. */
export const powerCut: FaultSuite = {
  name: 'power-cut',
  fault: 'power cut while storing, settling, purging and changing keys',
  counts: { short: 20, long: 300 },
  lacking: lackingForRecordings,
  async run(rounds) {
    const { count, signal, tally } = rounds
    await control(rounds)
    for (let done = 0, batch = 0; done < count && !signal.aborted; done += CUTS_PER_RECORDING, batch++) {
      const [what, make] =
        batch % 2 === 0 ? (['store', recordStore] as const) : (['keys', recordKeys] as const)
      await cutInto(await make(rounds), rounds, {
        cuts: Math.min(CUTS_PER_RECORDING, count - done),
        what: `${what}, recording ${batch}`,
        tally,
        onCut: () => tally.injected(),
      })
    }
  },
}

/** With synchronous=NORMAL the same cuts must lose something, or they would find nothing anywhere. */
async function control(rounds: Rounds): Promise<void> {
  await expectHarm(rounds, 'lost', 'a store at synchronous=NORMAL', async (broken) => {
    const recorded = await recordStore(broken, ['careless'])
    const { tally } = broken
    await cutInto(recorded, broken, { cuts: CONTROL_CUTS, what: 'control', tally, onCut: () => undefined })
  })
}

/** A new store, and once more the one that a process has left behind. */
async function recordStore({ folder, dice, signal }: Rounds, how: readonly string[] = []): Promise<Recorded> {
  const root = join(folder, 'box')
  mkdirSync(root)
  const disk = diskAt(root, isBallast)
  const first = 2 * dice.between(0, 1e6) + 1
  const steps: Step[] = []
  for (const seed of [first, first + 1]) {
    const program = [join(WRITERS, 'store-writer.ts'), root, String(seed), '30', ...how]
    steps.push(...(await record(program, { log: join(folder, 'trace'), signal })))
  }
  return { disk, steps, root, look: testStoreIn }
}

/** Changes of keys, one of them killed anywhere, and what comes after it. */
async function recordKeys({ folder, dice, signal }: Rounds): Promise<Recorded> {
  const trial = await brokerlessTrial(folder, NAMES)
  const root = dirname(trial.box.directory)
  const config = boxConfig(trial, NAMES)
  const file = join(folder, 'config.json')
  const disk = diskAt(root, isBallast)
  writeFileSync(file, JSON.stringify(config))
  const steps: Step[] = []
  const write = async (more: readonly string[], inject?: string): Promise<void> => {
    const program = [join(WRITERS, 'key-writer.ts'), file, String(dice.between(0, 1e6)), '3', ...more]
    const options = { log: join(folder, 'trace'), signal, ...(inject === undefined ? {} : { inject }) }
    steps.push(...(await record(program, options)))
  }
  if (dice.chance(0.5)) await write([String(dice.between(1, 9))])
  else await write([], `fsync:signal=KILL:when=${dice.between(20, 160)}`)
  await write([])
  const look = (image: string): Left => {
    const moved = JSON.parse(readFileSync(file, 'utf8').replaceAll(root, image)) as Config
    return {
      open: () => openAsVault(moved),
      database: () => ({ file: moved.store.file, key: loadStoreKeys(moved, {}).database }),
    }
  }
  return { disk, steps, root, look }
}
