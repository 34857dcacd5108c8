import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Dice, diceOf } from '../fault/dice.ts'
import { isBallast, testStoreIn } from '../fault/power/cuts.ts'
import { diskAt } from '../fault/power/disk.ts'
import { promisesOf } from '../fault/power/promises.ts'
import { lackingForRecordings, record, type Step } from '../fault/power/recording.ts'

const lacking = await lackingForRecordings()
const WRITER = join(import.meta.dirname, '..', 'fault', 'power', 'store-writer.ts')
/** Of what was not synced nothing comes to the disk. */
const WORST: Dice = { ...diceOf(1), pick: ([first]) => first, chance: () => false }

/** Lets writers work in one folder, one after the other. */
async function recordIn(
  root: string,
  writers: readonly (readonly [args: string, inject?: string])[],
): Promise<readonly (readonly Step[])[]> {
  const recorded: (readonly Step[])[] = []
  for (const [args, inject] of writers) {
    const { signal } = new AbortController()
    const options = { log: `${root}.trace`, signal, ...(inject === undefined ? {} : { inject }) }
    recorded.push(await record([WRITER, root, ...args.split(' ')], options))
  }
  return recorded
}

/** Cuts the power after everything that was said, and gives what is missing then. */
function missing(t: Test, root: string, disk: ReturnType<typeof diskAt>, steps: readonly Step[]): string[] {
  const promises = promisesOf()
  const harms: string[] = []
  let cuts = 0
  for (const step of steps) {
    disk.take(step)
    if (step.kind !== 'said') continue
    promises.hear(step.line)
    const image = `${root}.image`
    disk.cut(image, WORST)
    promises.check(testStoreIn(image), `cut ${++cuts}`, { harm: (_, what) => void harms.push(what) })
    rmSync(image, { recursive: true })
  }
  t.same(disk.differences(), [], 'the recording is whole')
  t.ok(cuts > 3, `${cuts} cuts`)
  return harms
}

/** Cuts the power after every write to the database until it is open, with some of what was not synced on the disk, and opens it. */
function unopenable(root: string, disk: ReturnType<typeof diskAt>, steps: readonly Step[]): string[] {
  const paths = new Map<number, string>()
  const harms: string[] = []
  let cuts = 0
  for (const [index, step] of steps.entries()) {
    disk.take(step)
    if (step.kind === 'said') break
    if (step.kind === 'opened') paths.set(step.fd, step.path)
    if (step.kind !== 'wrote' || !/\.db$/.test(paths.get(step.fd) ?? '')) continue
    const image = `${root}.image`
    disk.cut(image, diceOf(++cuts))
    try {
      testStoreIn(image).open()[Symbol.dispose]()
    } catch (error) {
      harms.push(`after step ${index}: ${String(error)}`)
    }
    rmSync(image, { recursive: true })
  }
  if (cuts < 10) harms.push(`only ${cuts} writes`)
  return harms
}

await t.test(
  'from its first moment on, what a store has acknowledged survives a power cut',
  { skip: lacking ?? false },
  async (t) => {
    const root = t.testdir()
    const disk = diskAt(root, isBallast)
    const steps = (await recordIn(root, [['1 6 storing'], ['2 6']])).flat()
    t.same(missing(t, root, disk, steps), [])
  },
)

await t.test(
  'after a write or sync that failed a store acknowledges nothing more',
  { skip: lacking ?? false },
  async (t) => {
    for (const inject of [
      'fsync:error=EIO:when=54',
      'pwrite64:error=EIO:when=180',
      'ftruncate:error=EIO:when=8',
      // Of the mark beside the database, after the one of opening it.
      'fdatasync:error=EIO:when=2',
    ]) {
      const root = t.testdir()
      const [steps = []] = await recordIn(root, [['2 12', inject]])
      const fault = steps.findIndex(({ kind }) => kind === 'fault')
      const said = steps.slice(fault).flatMap((step) => (step.kind === 'said' ? [step.line] : []))
      const ready = steps.findIndex((step) => step.kind === 'said' && step.line === 'ready')
      t.ok(fault > ready && ready > 0, 'the store is open when it fails')
      t.ok(said.length > 2, `${inject}: ${said.length} tries`)
      for (const line of said) if (!/^(failed ERR_STORE_IO|purging|settling .*)$/.test(line)) t.fail(line)
    }
  },
)

for (const [when, path] of [
  ['50', /evidence\/[0-9a-f]{32}$/],
  ['51', /evidence$/],
  ['52', /-wal$/],
] as const)
  await t.test(
    `a store that is opened anew writes what a failed sync of ${String(path)} may not have brought to the disk`,
    { skip: lacking ?? false },
    async (t) => {
      const root = t.testdir()
      const [disk, torn] = [diskAt(root, isBallast), diskAt(root, isBallast)]
      const [failing = [], later = []] = await recordIn(root, [
        ['1 8 storing', `fsync:error=EIO:when=${when}`],
        ['3 5 storing'],
      ])
      const fault = failing.find(({ kind }) => kind === 'fault')
      t.match(fault, { path }, 'it was a sync of a commit')
      t.same(missing(t, root, disk, [...failing, ...later]), [])

      for (const step of failing) torn.take(step)
      t.same(unopenable(root, torn, later), [], 'nor does what is moved into the database by halves harm it')
    },
  )
