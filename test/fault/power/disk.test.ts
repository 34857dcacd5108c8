import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Dice, diceOf } from '../dice.ts'
import { type Disk, diskAt } from './disk.ts'
import type { Step } from './recording.ts'

/** Nothing, or everything, of what was not synced comes to the disk. */
const NOTHING: Dice = { ...diceOf(1), chance: () => false }
const EVERYTHING: Dice = { ...diceOf(1), chance: () => true }

const none = (): boolean => false
const opened = (fd: number, path: string): Step => ({ kind: 'opened', fd, path, mayMake: true, cut: false })
const wrote = (fd: number, at: number, text: string): Step => ({
  ...{ kind: 'wrote', fd, at },
  bytes: Buffer.from(text),
})
const synced = (fd: number, failed = false): Step => ({ kind: 'synced', fd, failed })

function cutAfter(root: string, steps: readonly Step[], dice: Dice): (name: string) => string | undefined {
  const disk: Disk = diskAt(root, none)
  for (const step of steps) disk.take(step)
  const image = join(root, '..', 'image')
  rmSync(image, { recursive: true, force: true })
  disk.cut(image, dice)
  return (name) => (existsSync(join(image, name)) ? readFileSync(join(image, name), 'latin1') : undefined)
}

await t.test('a file needs its own sync and that of its folder to survive', async (t) => {
  const root = t.testdir({ box: {} }) + '/box'
  const file = join(root, 'a')
  const made = [opened(3, root), opened(4, file), wrote(4, 0, 'kept')]
  t.equal(cutAfter(root, [...made, synced(4)], NOTHING)('a'), undefined)
  t.equal(cutAfter(root, [...made, synced(3)], NOTHING)('a'), '')
  t.equal(cutAfter(root, [...made, synced(4), synced(3)], NOTHING)('a'), 'kept')
  t.equal(cutAfter(root, made, EVERYTHING)('a'), 'kept')
})

await t.test('a write over several sectors is torn between them and nowhere else', async (t) => {
  const root = t.testdir({ box: { a: 'x'.repeat(2048) } }) + '/box'
  const torn = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const steps = [opened(4, join(root, 'a')), wrote(4, 0, 'y'.repeat(1536))]
    const left = cutAfter(root, steps, diceOf(seed))('a') ?? ''
    t.equal(left.length, 2048)
    const sectors = [0, 512, 1024, 1536].map((at) => left.slice(at, at + 512))
    for (const sector of sectors) if (!/^(x+|y+)$/.test(sector)) t.fail('a sector is torn')
    torn.add(sectors.map(([first]) => first).join(''))
  }
  t.ok(torn.size > 4 && torn.has('xxxx') && torn.has('yyyx'), [...torn].join(' '))
})

await t.test(
  'a move is there as a whole or not at all, and what was cut shorter before it was written anew',
  async (t) => {
    const root = t.testdir({ box: { a: 'old', b: 'new', log: 'long enough' } }) + '/box'
    for (let seed = 0; seed < 40; seed++) {
      const moved: Step = { kind: 'moved', from: join(root, 'b'), to: join(root, 'a') }
      const cut: Step = { kind: 'resized', fd: 4, size: 0 }
      const left = cutAfter(
        root,
        [moved, opened(4, join(root, 'log')), cut, wrote(4, 0, 'next')],
        diceOf(seed),
      )
      t.ok([left('a'), left('b')].join() === 'old,new' || [left('a'), left('b')].join() === 'new,', `${seed}`)
      t.match(left('log'), /^(long enough|next|\0*)$/)
    }
  },
)

await t.test(
  'what a failed sync has given up no later sync brings to the disk, but writing it again does',
  async (t) => {
    const root = t.testdir({ box: { a: 'x'.repeat(8192) } }) + '/box'
    const failed = [opened(4, join(root, 'a')), wrote(4, 0, 'lost'), synced(4, true)]
    const far = [...failed, wrote(4, 4096, 'kept'), synced(4)]
    t.match(cutAfter(root, far, NOTHING)('a'), /^xxxx+keptx+$/)
    const near = [...failed, wrote(4, 100, 'kept'), synced(4)]
    t.match(cutAfter(root, near, NOTHING)('a'), /^lostx+keptx+$/, 'of the same page all is written')
  },
)

await t.test('a recording that misses a write is found out', async (t) => {
  const root = t.testdir({ box: { a: 'x' } }) + '/box'
  const disk = diskAt(root, none)
  t.same(disk.differences(), [])
  for (const step of [opened(4, join(root, 'a')), wrote(4, 0, 'y'), opened(5, join(root, 'b'))])
    disk.take(step)
  t.same(disk.differences(), [`${root}/a has another content`, `${root}/b is gone`])
  t.same(readdirSync(root), ['a'])
})
