import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { clockStateSchema } from '../../src/domain/evidence.ts'
import { readBootId, readClockState } from '../../src/health/clock.ts'

/** Programs that answer with fixed text; any other is missing. */
function programs(answers: Record<string, string>): (program: string) => Promise<string> {
  return async (program) => {
    const answer = answers[program]
    if (answer === undefined) throw new Error('ENOENT')
    return answer
  }
}

await t.test('the state of this machine’s own clock is readable and valid', async (t) => {
  t.ok(clockStateSchema.safeParse(await readClockState()).success)
  t.match(await readBootId(), /^[0-9a-f-]{36}$/)
})

await t.test('chrony says offset and last synchronization', async (t) => {
  const timesyncDirectory = join(t.testdir(), 'none')
  const line = (leap: string): string =>
    `A29FC87B,162.159.200.123,4,1767348000.500000000,-0.000250000,0.0001,0.0002,1.5,0.0,0.1,0.01,0.001,64.5,${leap}\n`
  t.same(await readClockState({ run: programs({ chronyc: line('Normal') }), timesyncDirectory }), {
    synchronized: true,
    source: 'chrony',
    offsetMs: -0.25,
    lastSyncAt: '2026-01-02T10:00:00.500Z',
  })
  t.match(await readClockState({ run: programs({ chronyc: line('Not synchronised') }), timesyncDirectory }), {
    synchronized: false,
    offsetMs: null,
  })
})

await t.test('systemd-timesyncd says when it last synchronized', async (t) => {
  const timesyncDirectory = t.testdir()
  const sources = { run: programs({ chronyc: '506 Cannot talk to daemon' }), timesyncDirectory }
  t.match(await readClockState(sources), { synchronized: false, source: 'systemd-timesyncd' })
  const file = join(timesyncDirectory, 'synchronized')
  await writeFile(file, '')
  await utimes(file, 1767348000, 1767348000)
  t.match(await readClockState(sources), { synchronized: true, lastSyncAt: '2026-01-02T10:00:00.000Z' })
})

await t.test('without either the kernel is asked, and without an answer nothing is claimed', async (t) => {
  const timesyncDirectory = join(t.testdir(), 'none')
  t.match(await readClockState({ run: programs({ timedatectl: 'yes\n' }), timesyncDirectory }), {
    synchronized: true,
    source: 'kernel',
  })
  t.match(
    await readClockState({ run: programs({ timedatectl: 'Failed to connect to bus' }), timesyncDirectory }),
    {
      synchronized: null,
      source: 'unknown',
    },
  )
})
