import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { shortFolder } from '../config/site.ts'
import { type RoadveilProcess, roadveil, startRoadveil } from './roadveil.ts'

/** A box without a broker and with a recording that is no video: vault must do its work all the same. */
async function makeBox(t: { teardown(fn: () => void): void }): Promise<string> {
  const folder = shortFolder(t)
  const clip = join(folder, 'clip.mp4')
  writeFileSync(clip, 'no video')
  const made = await roadveil(['init', join(folder, 't'), '--trial', '--camera', `file:${clip}`, '--json'])
  return (JSON.parse(made.stdout) as { config: string }).config
}

function childrenOf(
  pid: number,
): { readonly pid: number; readonly args: string; readonly environment: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1])
        const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        if (parent !== pid) return []
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8')
        return [{ pid: Number(name), args, environment }]
      } catch {
        return []
      }
    })
}

const ANSWERS_WITHIN_MS = 60_000
const ASKED_FOR_MS = 20_000

/** Throws what was said so far when a run has ended, or does not answer in time. */
async function untilAnswers(
  config: string,
  run: RoadveilProcess,
): Promise<{ processes: { vault: { pid: number } } }> {
  const since = performance.now()
  for (;;) {
    const asked = startRoadveil(['status', '--json', '--config', config])
    const patience = setTimeout(() => void asked.kill('SIGKILL'), ASKED_FOR_MS)
    const { code, stdout, stderr } = await asked.ended
    clearTimeout(patience)
    if (code === 0) return JSON.parse(stdout) as { processes: { vault: { pid: number } } }
    if (run.exitCode !== null || performance.now() - since > ANSWERS_WITHIN_MS)
      throw new Error(`status ended with ${code}: ${stderr}\nand run said ${run.output().stderr}`)
    await sleep(200)
  }
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const alive = (pid: number): boolean => {
    try {
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return false
    }
  }
  while (pids.some(alive)) await sleep(50)
}

await t.test(
  'run starts both, restarts a killed vault, answers status, and stops clean on SIGTERM',
  async (t) => {
    const config = await makeBox(t)
    const run = startRoadveil(['run', '--config', config], { env: { CREDENTIALS_DIRECTORY: '/nowhere' } })
    t.teardown(() => void run.kill('SIGKILL'))
    const first = (await untilAnswers(config, run)).processes.vault.pid
    t.match(
      childrenOf(run.pid ?? 0)
        .map(({ args }) => args)
        .join('\n'),
      / vault --config /,
    )
    for (const { environment, args } of childrenOf(run.pid ?? 0)) {
      t.equal(environment.includes('CREDENTIALS_DIRECTORY='), args.includes(' vault '), args)
    }

    process.kill(first, 'SIGKILL')
    await untilGone([first])
    const second = (await untilAnswers(config, run)).processes.vault.pid
    t.not(second, first)

    const list = await roadveil(['evidence', 'list', '--config', config])
    t.match(list, { code: 0, stdout: /^no evidence/, stderr: '' })
    const id = '0f8fad5b-d9cb-469f-a165-70867728950e'
    const hold = await roadveil(['evidence', 'hold', id, '--reason', 'court order', '--config', config])
    t.match(hold, { code: 1, stdout: '', stderr: /ERR_EVIDENCE_UNKNOWN/ })
    const status = await roadveil(['status', '--config', config])
    t.match(status.stdout, /^vault +\d/m)
    t.ok(
      status.stdout.split('\n').every((line) => line.length <= 100),
      status.stdout,
    )

    const pids = childrenOf(run.pid ?? 0).map(({ pid }) => pid)
    run.kill('SIGTERM')
    const { code, stdout, stderr } = await run.ended
    t.equal(code, 0)
    t.equal(stdout, '')
    for (const line of stderr.trim().split('\n')) t.match(line, /^\{"level":|^roadveil: /)
    await untilGone(pids)
  },
)

await t.test('a killed run takes its processes with it', async (t) => {
  const config = await makeBox(t)
  const run = startRoadveil(['run', '--config', config])
  await untilAnswers(config, run)
  const pids = childrenOf(run.pid ?? 0).map(({ pid }) => pid)
  t.ok(pids.length >= 1)
  run.kill('SIGKILL')
  await untilGone(pids)
})

await t.test('run refuses a config with faults before it starts anything', async (t) => {
  const config = await makeBox(t)
  const text = readFileSync(config, 'utf8')
  writeFileSync(config, text.replace('limitSeconds: 30', 'limitSeconds: ten'))
  const { code, stdout, stderr } = await roadveil(['run', '--config', config])
  t.equal(code, 3)
  t.equal(stdout, '')
  t.match(
    stderr,
    /^roadveil: error: roadveil.yaml has 1 fault: \[ERR_CONFIG_INVALID\]\n {2}line \d+: .*limitSeconds/,
  )
})
