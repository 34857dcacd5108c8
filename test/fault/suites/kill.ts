import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { killBox } from '../kill/box.ts'
import { cameraKills } from '../kill/cameras.ts'
import { killRun } from '../kill/run.ts'
import { migrationKills, purgeKills } from '../kill/stores.ts'
import { diceOf } from '../dice.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

/** SIGKILL of whatever works with evidence, keys or cameras, at random moments of all that it does. */
export const kill: FaultSuite = {
  name: 'kill',
  fault: 'kill -9 of vault, vision, key changes, migrations and purges',
  counts: { short: 60, long: 2_000 },
  async run(rounds) {
    const { count } = rounds
    const inRun = Math.ceil((count * 2) / 15)
    const inBox = Math.ceil((count - inRun) * 0.5)
    // Processes take their time to start: three lanes at once.
    await Promise.all([
      killRun(laneOf(rounds, 'run'), inRun),
      killBox(laneOf(rounds, 'box'), inBox),
      killOthers(laneOf(rounds, 'others'), count - inRun - inBox),
    ])
  },
}

/** A lane has a folder and dice of its own, so that the order in which they go on does not matter. */
function laneOf(rounds: Rounds, name: string): Rounds {
  const folder = join(rounds.folder, name)
  mkdirSync(folder, { mode: 0o700 })
  return { ...rounds, folder, dice: diceOf(rounds.dice.between(0, 1e9)) }
}

/** One after the other: mostly migrations and purges, and now and then a vision, which takes seconds to start. */
async function killOthers(rounds: Rounds, count: number): Promise<void> {
  const [migration, purge, camera] = [migrationKills(rounds), purgeKills(rounds), await cameraKills(rounds)]
  for (let round = 0; round < count && !rounds.signal.aborted; round++)
    await (round % 12 === 11 ? camera : round % 2 === 0 ? migration : purge)()
}
