import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openLogFile } from '../../src/cli/log-file.ts'
import { superviseProcess, type ProcessSpec, type SuperviseOptions } from '../../src/cli/supervise.ts'
import { createLogger } from '../../src/log.ts'
import { shortFolder } from '../config/site.ts'

function specOf(script: string): ProcessSpec {
  return { role: 'vault', command: process.execPath, args: ['-e', script], env: process.env }
}

function recording(graceMs = 5_000) {
  const lines: string[] = []
  const logger = createLogger({
    process: 'cli',
    level: 'info',
    destination: { write: (line) => void lines.push(line.trimEnd()) },
  })
  const options: SuperviseOptions = {
    logger,
    onLine: (line) => void lines.push(line),
    graceMs,
    minDelayMs: 20,
    maxKilledDelayMs: 40,
    maxDelayMs: 160,
  }
  const waitFor = async (pattern: RegExp): Promise<void> => {
    while (!lines.some((line) => pattern.test(line))) await sleep(20)
  }
  return { lines, options, waitFor }
}

const SAY_READY = `process.stderr.write('{"level":"info","message":"ready"}\\n'); setInterval(() => {}, 1000);`

await t.test('a process that dies is started again, with growing delays', async (t) => {
  const { lines, options } = recording()
  const stop = new AbortController()
  const done = superviseProcess(specOf('process.exit(7)'), options, stop.signal)
  const restarts = () => lines.filter((line) => line.includes('started again'))
  while (restarts().length < 5) await sleep(20)
  stop.abort()
  t.equal(await done, 0)
  const parsed = restarts().map(
    (line) => JSON.parse(line) as { attempt: number; delayMs: number; exitCode: number },
  )
  t.match(parsed.slice(0, 3), [{ attempt: 1, exitCode: 7 }, { attempt: 2 }, { attempt: 3 }])
  t.ok(parsed.every(({ delayMs }) => delayMs >= 10 && delayMs <= 160))
  t.ok(
    parsed.slice(3).every(({ delayMs }) => delayMs >= 80),
    'up to the longest',
  )
})

await t.test('a process that is killed again and again is soon back each time', async (t) => {
  const { lines, options } = recording()
  const stop = new AbortController()
  const script = `process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)`
  const done = superviseProcess(specOf(script), options, stop.signal)
  const restarts = () => lines.filter((line) => line.includes('started again'))
  while (restarts().length < 6) await sleep(20)
  stop.abort()
  await done
  const parsed = restarts().map((line) => JSON.parse(line) as { attempt: number; delayMs: number })
  t.match(parsed[5], { attempt: 6, signal: 'SIGKILL' })
  t.ok(
    parsed.every(({ delayMs }) => delayMs <= 40),
    parsed.map(({ delayMs }) => delayMs).join(),
  )
})

await t.test('being killed does not make a process wait longer for a fault of its own', async (t) => {
  const { lines, options } = recording()
  const marks = shortFolder(t)
  const stop = new AbortController()
  // Killed five times, then it fails.
  const script = `const fs = require('node:fs'); const n = fs.readdirSync(${JSON.stringify(marks)}).length;
    fs.writeFileSync(${JSON.stringify(marks)} + '/' + n, '');
    if (n < 5) process.kill(process.pid, 'SIGKILL'); else process.exit(1); setInterval(() => {}, 1000)`
  const done = superviseProcess(specOf(script), options, stop.signal)
  const own = (): string | undefined => lines.find((line) => line.includes('"exitCode":1'))
  while (own() === undefined) await sleep(20)
  stop.abort()
  await done
  t.match(JSON.parse(own() ?? ''), { attempt: 1, exitCode: 1 })
})

await t.test('a process that finds its config bad is not started again', async (t) => {
  const { lines, options } = recording()
  t.equal(await superviseProcess(specOf('process.exit(3)'), options, new AbortController().signal), 3)
  t.equal(lines.filter((line) => line.includes('process started')).length, 1)
})

await t.test('a program that cannot be started is tried again until the stop', async (t) => {
  const { options, waitFor } = recording()
  const stop = new AbortController()
  const spec = { ...specOf(''), command: '/nowhere/program' }
  const done = superviseProcess(spec, options, stop.signal)
  await waitFor(/cannot be started/)
  stop.abort()
  t.equal(await done, 0)
})

await t.test('the stop is SIGTERM, and SIGKILL for a process that does not listen', async (t) => {
  const polite = recording()
  const stop = new AbortController()
  const script = `process.on('SIGTERM', () => { process.stderr.write('{"level":"info","message":"bye"}\\n'); process.exit(0) });`
  const done = superviseProcess(specOf(script + SAY_READY), polite.options, stop.signal)
  await polite.waitFor(/ready/)
  stop.abort()
  t.equal(await done, 0)
  t.match(polite.lines.at(-1), /bye/)

  const deaf = recording(200)
  const kill = new AbortController()
  const killed = superviseProcess(
    specOf(`process.on('SIGTERM', () => {});${SAY_READY}`),
    deaf.options,
    kill.signal,
  )
  await deaf.waitFor(/ready/)
  kill.abort()
  t.equal(await killed, 0)
  t.match(deaf.lines.at(-1), /did not stop and is killed/)
})

await t.test('log lines and messages of the CLI pass; what a crash prints does not', async (t) => {
  const { lines, options, waitFor } = recording()
  const stop = new AbortController()
  const script = `process.stderr.write('TypeError: plate AB123CD\\n    at x\\nroadveil: error: no rtsp://u:p@h/\\n');
    process.stdout.write('AB123CD\\n');${SAY_READY}`
  const done = superviseProcess(specOf(script), options, stop.signal)
  await waitFor(/ready/)
  stop.abort()
  await done
  t.notMatch(lines.join('\n'), /AB123CD|u:p/)
  t.ok(lines.includes('roadveil: error: no rtsp://***@h/'))
})

await t.test(
  'started as run starts it, a process dies with its parent and leaves no core dump',
  async (t) => {
    const folder = shortFolder(t)
    const file = join(folder, 'child.json')
    const child = `const { execFileSync } = require('node:child_process');
    const limit = execFileSync('prlimit', ['--core', '--noheadings', '--output=SOFT,HARD', '--pid', String(process.pid)]);
    require('node:fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify({ pid: process.pid, limit: String(limit).trim() }));
    setInterval(() => {}, 1000)`
    const args = ['--pdeathsig', 'KILL', 'prlimit', '--core=0', process.execPath, '-e', child]
    const parent = spawn(process.execPath, [
      '-e',
      `require('node:child_process').spawn('setpriv', ${JSON.stringify(args)}, { detached: true, stdio: 'ignore' });
     setInterval(() => {}, 1000)`,
    ])
    const read = () => {
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as { pid: number; limit: string }
      } catch {
        return undefined
      }
    }
    while (!read()) await sleep(20)
    const { pid, limit } = read() ?? { pid: 0, limit: '' }
    t.match(limit, /^0\s+0$/)
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    const isAlive = (): boolean =>
      /^State:\s+[^ZX]/m.test(spawnSync('cat', [`/proc/${pid}/status`]).stdout.toString())
    for (let i = 0; i < 100 && isAlive(); i++) await sleep(20)
    t.notOk(isAlive())
  },
)

await t.test('log lines go to one file a day that nobody else may read', async (t) => {
  const folder = join(shortFolder(t), 'logs')
  let day = '2026-03-01T23:59:59Z'
  const failures: number[] = []
  {
    using file = openLogFile(
      folder,
      () => failures.push(1),
      () => new Date(day),
    )
    file.write('{"a":1}')
    day = '2026-03-02T00:00:01Z'
    file.write('{"a":2}')
  }
  t.equal(readFileSync(join(folder, 'roadveil-2026-03-01.log'), 'utf8'), '{"a":1}\n')
  t.equal(readFileSync(join(folder, 'roadveil-2026-03-02.log'), 'utf8'), '{"a":2}\n')
  t.equal(statSync(join(folder, 'roadveil-2026-03-02.log')).mode & 0o777, 0o600)
  t.equal(statSync(folder).mode & 0o777, 0o700)
  t.equal(failures.length, 0)
})

await t.test('a log file that cannot be written is told once and stops nothing', async (t) => {
  const blocked = join(shortFolder(t), 'file')
  writeFileSync(blocked, '')
  const failures: number[] = []
  using file = openLogFile(join(blocked, 'logs'), () => failures.push(1))
  file.write('a')
  file.write('b')
  t.equal(failures.length, 1)
})
