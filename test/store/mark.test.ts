import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { markOf, type Standing } from '../../src/store/mark.ts'

const BLOCK = 4096
const standing = (change: Partial<Standing> = {}): Standing => ({
  ...{ sequence: 3, auditSequence: 500, logId: 'a', commandsUntil: 1_000 },
  ...change,
})

/** Damages one of the two copies, the first being 0. */
function damage(file: string, copy: number): void {
  const bytes = readFileSync(`${file}.mark`)
  bytes[copy * BLOCK + 70] = (bytes[copy * BLOCK + 70] ?? 0) ^ 1
  writeFileSync(`${file}.mark`, bytes)
}

await t.test('a mark says what was written last, also of a store that has not come as far', async (t) => {
  const file = join(t.testdir(), 'store.db')
  t.equal(markOf(file).read(), undefined)
  for (const each of [
    standing(),
    standing({ auditSequence: 501 }),
    standing({ auditSequence: 1, logId: 'b' }),
  ])
    markOf(file).write(each)
  t.same(markOf(file).read(), standing({ auditSequence: 1, logId: 'b' }))
})

await t.test(
  'a mark of which one copy is damaged does not say how new a command may have been',
  async (t) => {
    for (const copy of [0, 1]) {
      const file = join(t.testdir(), 'store.db')
      const mark = markOf(file)
      mark.write(standing())
      mark.write(standing({ auditSequence: 501, commandsUntil: 2_000 }))
      damage(file, copy)
      const expected = standing({ auditSequence: copy === 0 ? 501 : 500, commandsUntil: undefined })
      t.same(markOf(file).read(), expected)
      damage(file, 1 - copy)
      t.equal(markOf(file).read(), undefined)
    }
  },
)
