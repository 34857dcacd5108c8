import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openTestStore } from './store.fixture.ts'

const ROUNDS = 20

await t.test('kill -9 at any moment loses no acknowledged evidence and brings none back', async (t) => {
  const folder = t.testdir()
  const acknowledged = new Map<string, string>()
  const settled = new Set<string>()
  // Killed between saying that it settles and saying that it has: either is right.
  const settling = new Set<string>()

  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [`${import.meta.dirname}/commit-loop.fixture.ts`, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    const exited = once(child, 'close')
    while (!output.startsWith('ready')) await once(child.stdout, 'data')
    await sleep(Math.random() * 150)
    child.kill('SIGKILL')
    await exited

    for (const line of output.split('\n').slice(0, -1)) {
      const [word, id = '', sha256 = ''] = line.split(' ')
      if (word === 'stored') acknowledged.set(id, sha256)
      if (word === 'settling') settling.add(id)
      if (word === 'settled') settled.add(id)
    }
    using store = openTestStore(folder)
    const stored = new Set(store.inventory.list().map(({ evidenceId }) => evidenceId))
    for (const [id, sha256] of acknowledged) {
      if (!store.evidence.has(id)) t.fail(`lost ${id}`)
      if (settled.has(id)) {
        if (stored.has(id)) t.fail(`${id} came back`)
      } else if (stored.has(id)) {
        const hash = createHash('sha256')
        for (let index = 0; index < 2; index++) hash.update(store.outbox.chunk(id, index))
        if (hash.digest('hex') !== sha256) t.fail(`${id} was changed`)
      } else if (!settling.has(id)) t.fail(`lost ${id}`)
    }
    store.audit.verify()
  }
  t.ok(acknowledged.size > ROUNDS, `${acknowledged.size} acknowledged, ${settled.size} settled`)
  t.ok(settled.size > 0)
})
