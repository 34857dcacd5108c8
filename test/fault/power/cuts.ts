import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '../../../src/store/database.ts'
import type { Store } from '../../../src/store/open.ts'
import { openTestStore, storeFileIn } from '../../store/store.fixture.ts'
import type { Dice } from '../dice.ts'
import type { Rounds } from '../suite.ts'
import type { Tally } from '../tally.ts'
import type { Disk } from './disk.ts'
import { type Promises, promisesOf } from './promises.ts'
import type { Step } from './recording.ts'
import { leaksIn } from './leaks.ts'

/** Writes that were recorded. */
export interface Recorded {
  /** As it was before them. */
  readonly disk: Disk
  readonly steps: readonly Step[]
  /** Where they were made; deleted once they have been cut into. */
  readonly root: string
  /** How to look at what a power cut has left in another folder. */
  readonly look: (image: string) => Left
}

/** A store after a power cut. */
export interface Left {
  readonly open: () => Store
  /** The database and its key, once it is open. */
  readonly database: () => { readonly file: string; readonly key: Buffer }
}

/** Looks at a store of the writers that have no keys. */
export function testStoreIn(image: string): Left {
  return {
    open: () => openTestStore(image),
    database: () => ({ file: storeFileIn(image), key: Buffer.alloc(32, 7) }),
  }
}

/**
 * Cuts the power at moments of a recording, and reports what of the acknowledged is not there afterwards, and whether the database is
 * damaged, and what was ever written that must not be.
 *
 * @param from cuts come after this step.
 */
export async function cutInto(
  { disk, steps, root, look }: Recorded,
  { folder, dice, planted, signal }: Pick<Rounds, 'folder' | 'dice' | 'planted' | 'signal'>,
  {
    cuts,
    from = 0,
    what,
    tally,
    onCut,
  }: {
    readonly cuts: number
    readonly from?: number
    readonly what: string
    readonly tally: Tally
    readonly onCut: () => void
  },
): Promise<void> {
  const promises = promisesOf()
  const moments = Array.from({ length: cuts }, () => momentIn(steps, from, dice)).toSorted((a, b) => a - b)
  const image = join(folder, 'image')
  for (const [index, step] of steps.entries()) {
    disk.take(step)
    if (step.kind === 'said') promises.hear(step.line)
    for (; moments[0] === index && !signal.aborted; moments.shift()) {
      disk.cut(image, dice)
      onCut()
      inspect(look(image), promises, { what: `${what}, cut after step ${index} of ${steps.length}`, tally })
      await rm(image, { recursive: true })
    }
  }
  for (const difference of disk.differences())
    tally.harm('broken', `${what}: the recording is not whole: ${difference}`)
  for (const hit of leaksIn(steps, planted)) tally.harm('leaked', `${what}: ${hit}`)
  await rm(root, { recursive: true })
}

function inspect(
  left: Left,
  promises: Promises,
  { what, tally }: { readonly what: string; readonly tally: Tally },
): void {
  const began = performance.now()
  if (!promises.check(left, what, tally)) return
  tally.recovered(performance.now() - began)
  const db = openDatabase({ ...left.database(), maxSizeMiB: 64 })
  const found = db.pragma('integrity_check', { simple: true })
  db.close()
  if (found !== 'ok') tally.harm('broken', `${what}: ${String(found)}`)
}

/** Mostly right after something was acknowledged: that is when it has to be safe. */
function momentIn(steps: readonly Step[], from: number, dice: Dice): number {
  const said = [...steps.keys()].filter((index) => index >= from && steps[index]?.kind === 'said')
  const index = said[dice.between(0, said.length - 1)]
  return index !== undefined && dice.chance(0.5) ? index : dice.between(from, steps.length - 1)
}

/** Of the ballast only the size matters, and that it is there. */
export function isBallast(path: string): boolean {
  return path.endsWith('.ballast')
}
