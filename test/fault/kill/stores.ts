import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestStore, storeFileIn } from '../../store/store.fixture.ts'
import { until } from '../../support/until.ts'
import { testStoreIn } from '../power/cuts.ts'
import { promisesOf } from '../power/promises.ts'
import type { Rounds } from '../suite.ts'
import { makeOldStore } from './old-store.ts'
import { startVictim } from './process.ts'

const WRITER = join(import.meta.dirname, '..', 'power', 'store-writer.ts')
const MIGRATOR = join(import.meta.dirname, 'migrator.ts')
const ENDLESS = '1000000'

/** Kills what brings an older store up to date: it is whole in either version, and the next start goes on. */
export function migrationKills({ folder, dice, tally }: Rounds): () => Promise<void> {
  const old = join(folder, 'old')
  const kept = makeOldStore(old)
  const cache = join(folder, 'compiled')
  const box = join(folder, 'migrating')
  mkdirSync(dirname(storeFileIn(box)), { recursive: true, mode: 0o700 })
  let isDone = true
  return async () => {
    // What was killed before its end is taken up by the next.
    if (isDone) {
      rmSync(dirname(storeFileIn(box)), { recursive: true })
      mkdirSync(dirname(storeFileIn(box)), { mode: 0o700 })
      copyFileSync(storeFileIn(old), storeFileIn(box))
    }
    const said: string[] = []
    const migrator = startVictim([MIGRATOR, box], { cache, onLine: (line) => said.push(line) })
    await until('a store is being migrated', () => said.length > 0, { everyMs: 1 })
    await sleep(dice.between(0, 200))
    await migrator.kill()
    isDone = said.includes('done')
    tally.injected()
    const promises = promisesOf()
    for (const [id, sha256] of kept) promises.hear(`stored ${id} ${sha256}`)
    if (!promises.check(testStoreIn(box), 'a migration', tally)) return
    using store = openTestStore(box)
    const holds = store.holds.list().length
    if (holds !== Math.ceil(kept.length / 3)) tally.harm('lost', `a migration: ${holds} legal holds are left`)
  }
}

/** Kills what stores, settles and purges evidence of many days in one store, again and again. */
export function purgeKills({ folder, dice, tally }: Rounds): () => Promise<void> {
  const box = join(folder, 'purging')
  mkdirSync(dirname(storeFileIn(box)), { recursive: true, mode: 0o700 })
  const cache = join(folder, 'compiled')
  const promises = promisesOf()
  return async () => {
    let said = 0
    const seed = String(dice.between(0, 1e6))
    const writer = startVictim([WRITER, box, seed, ENDLESS], {
      cache,
      onLine: (line) => {
        said++
        promises.hear(line)
        if (line.startsWith('failed')) tally.harm('broken', `a store that was killed ${line}`)
      },
    })
    await until('a store is being written to', () => said > 0, { everyMs: 1 })
    await sleep(dice.between(0, 300))
    await writer.kill()
    tally.injected()
    promises.check(testStoreIn(box), 'a purge', tally)
  }
}
