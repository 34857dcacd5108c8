import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sceneCamera } from '../../../scripts/demo/trial.ts'
import { askVault } from '../../../src/channel/control.ts'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { sealEvidence } from '../../../src/sealing/seal.ts'
import type { Trial } from '../../../src/trial/trial.ts'
import { loadStoreKeys } from '../../../src/vault/keys.ts'
import { commandLines } from '../../camera/cameras.ts'
import { type RoadveilProcess, startRoadveil } from '../../cli/roadveil.ts'
import { boxSettings } from '../../support/box.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { SCENE_FILE } from '../../support/scene.ts'
import { killed, logged, namesIn, passSelftest } from '../../support/town.ts'
import { isRunning, processTree } from '../../support/traces.ts'
import { until } from '../../support/until.ts'
import { expectHarm } from '../control.ts'
import type { Dice } from '../dice.ts'
import { openAsVault } from '../power/open-as-vault.ts'
import type { Rounds } from '../suite.ts'
import { startCity } from './city.ts'
import { PLATE } from './plate.ts'
import { prove } from './proof.ts'

const NAMES = { site: 'main-street', device: 'box-1' }
const BACK_WITHIN_MS = 10_000
const GONE_WITHIN_MS = 5_000
/** Evidence that waits for the city when the box starts: more than it delivers between two kills. */
const STOCK = 100

type Role = 'vision' | 'vault'
type Act = Role | 'both' | 'building'
/** What is killed in eight rounds, in an order of chance: vault so often that a delay that grew each time would show. */
const ACTS: readonly Act[] = ['vault', 'vault', 'vault', 'vault', 'vault', 'both', 'vision', 'building']

/**
 * Kills the children of a real `roadveil run` at random moments, mostly soon after they are back: vault, which delivers, vision, which
 * watches the built-in clip, also while it builds evidence, or both; and in the end `run` itself.
 */
export async function killRun(rounds: Rounds, count: number): Promise<void> {
  const { folder, dice, tally, planted, signal } = rounds
  await using broker = await startMosquitto(join(folder, 'trial'), NAMES)
  const { trial } = broker
  planted.plant('the plate', PLATE)
  planted.except(trial.city.evidence)
  const config = await setUpBox(trial)
  const acknowledged = await fill(config)
  await using city = await startCity(trial)
  const run = startRoadveil(['run', '--config', trial.box.config], {
    env: { CI: undefined, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  })
  const box: Box = { run, config, rounds }
  try {
    await until('the box is at work', () => isAtWork(box, 0))
    let deck: Act[] = []
    for (let round = 0; round < count && !signal.aborted; round++) {
      if (deck.length === 0) deck = shuffled(ACTS, dice)
      await killOnce(box, deck.pop() ?? 'both')
    }
    const isEmpty = async (): Promise<boolean> => (await statusOf(config))?.store.outbox === 0
    await until('everything is delivered', isEmpty, { everyMs: 100 })
    await killItself(box)
  } finally {
    await killed(run)
  }
  for (const { evidenceId } of logged(run, 'evidence is sealed and stored'))
    acknowledged.add(evidenceId ?? '')
  const { atCity } = city
  const evidence = join(trial.city.evidence, NAMES.site, NAMES.device)
  await prove(config, { acknowledged, atCity, evidence }, tally)
  await controls(box)
}

interface Box {
  readonly run: RoadveilProcess
  readonly config: Config
  readonly rounds: Rounds
}

/** One camera, which plays the built-in clip: its violation is judged some ten seconds after each start of vision. */
async function setUpBox(trial: Trial): Promise<Config> {
  mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
  const cameras = [sceneCamera('cam-1', { url: `file:${SCENE_FILE}` })]
  writeFileSync(trial.box.config, JSON.stringify(boxSettings(trial, NAMES, cameras)))
  const config = await loadConfig(trial.box.config)
  await passSelftest(config)
  return config
}

async function fill(config: Config): Promise<Set<string>> {
  const { signing: signingKey } = loadStoreKeys(config, {})
  using store = openAsVault(config)
  const ids = new Set<string>()
  for (let i = 0; i < STOCK; i++) {
    const evidence = syntheticEvidence({ ...NAMES, plateText: PLATE, clipBytes: 30_000 })
    const [{ recipients }, at] = [config.city, Date.now()]
    const sealed = await sealEvidence(evidence, { signingKey, recipients, sealedAt: at })
    store.evidence.commit(sealed, { camera: 'cam-1', ruleId: 'bus-stop-clear', judgedAt: at, at })
    ids.add(sealed.evidenceId)
  }
  return ids
}

async function killOnce(box: Box, act: Act): Promise<void> {
  const { rounds, config } = box
  const { dice, tally } = rounds
  const roles: readonly Role[] =
    act === 'both' ? ['vault', 'vision'] : act === 'vault' ? ['vault'] : ['vision']
  if (act === 'building') {
    // A vision that is through with its clip builds no more.
    if (isThrough(box)) await killOnce(box, 'vision')
    await until('an evidence is being built', () => isBuilding(box), { everyMs: 10 })
  }
  await sleep(dice.between(0, dice.chance(0.9) ? 1_000 : 8_000))
  const doomed = roles.flatMap((role) => processTree(pidOf(box, role)))
  const at = Date.now()
  const began = performance.now()
  for (const role of roles) process.kill(pidOf(box, role), 'SIGKILL')
  tally.injected()
  await expectGone(doomed, `after kill -9 of ${act}`, tally)
  await until(`the box is at work after kill -9 of ${act}`, () => isAtWork(box, at))
  const ms = performance.now() - began - Math.max(...roles.map((role) => waitedForCores(pidOf(box, role))))
  tally.recovered(ms)
  if (ms > BACK_WITHIN_MS)
    tally.harm('broken', `kill -9 of ${act}: back at work only after ${Math.round(ms)} ms`)
  judgeStrays(config, box.run.pid ?? 0, tally)
}

/** Nothing may go on without `run`, since nobody would stop it. */
async function killItself({ run, rounds }: Box): Promise<void> {
  const all = processTree(run.pid ?? 0)
  await killed(run)
  rounds.tally.injected()
  await expectGone(all, 'after kill -9 of run', rounds.tally)
}

async function expectGone(
  processes: readonly { readonly pid: number; readonly line: string }[],
  when: string,
  tally: Rounds['tally'],
): Promise<void> {
  const left = () => processes.filter(isRunning)
  await until(`it is gone ${when}`, () => left().length === 0, { withinMs: GONE_WITHIN_MS }).catch(() =>
    tally.harm('broken', `${when} there is still ${left()[0]?.line.slice(0, 60)}`),
  )
}

/** Every process that was started for this box belongs to its run: one vault, one vision, and what these have started. */
function judgeStrays({ runtimeDirectory }: Config, run: number, tally: Rounds['tally']): void {
  const ours = new Set(processTree(run).map(({ pid }) => pid))
  const folder = join(runtimeDirectory, '..')
  for (const { pid, line } of commandLines())
    if (line.includes(folder) && / (vision|vault) --config /.test(line) && !ours.has(pid))
      tally.harm('broken', `a process goes on without its run: ${line.slice(-60)}`)
}

/** Both processes run, vault answers, and vision has been connected to it since then and sees its camera. */
async function isAtWork(box: Box, since: number): Promise<boolean> {
  const status = await statusOf(box.config)
  if (!status) return false
  const { vault, vision } = status.processes
  return (
    vault.pid === pidOf(box, 'vault') &&
    vision !== null &&
    Date.parse(vision.connectedAt) >= since &&
    status.cameras.some(({ state, frames }) => frames > 0 && (state === 'live' || state === 'ended'))
  )
}

async function statusOf({ runtimeDirectory }: Config) {
  return askVault(runtimeDirectory, { verb: 'status' }).catch(() => undefined)
}

function pidOf({ run }: Box, role: Role): number {
  return logged(run, 'process started').findLast((line) => line.role === role)?.pid ?? 0
}

/** A violation was judged by the vision that runs now, and its video is being decoded. */
function isBuilding(box: Box): boolean {
  const programs = processTree(pidOf(box, 'vision')).filter(({ line }) => line.startsWith('ffmpeg '))
  return visionSaid(box, 'violation') && !isThrough(box) && programs.length > 0
}

function isThrough(box: Box): boolean {
  return visionSaid(box, 'evidence built') || visionSaid(box, 'a violation left no evidence')
}

/** Whether the vision that runs now has logged this. */
function visionSaid(box: Box, message: string): boolean {
  const lines = box.run.output().stderr
  return lines.lastIndexOf(`"message":"${message}"`) > lines.lastIndexOf(`"message":"vision is ready"`)
}

/**
 * For how long what a process does one after the other stood in line for a core, at most: its main thread, the thread that waited
 * longest, and the programs that it has started. A machine that has other things to do is not the box's fault.
 */
function waitedForCores(pid: number): number {
  return processTree(pid)
    .map(({ pid: each }) => {
      const main = waitedMs(`/proc/${each}/schedstat`)
      const threads = namesIn(`/proc/${each}/task`).filter((thread) => thread !== String(each))
      return (
        main + Math.max(0, ...threads.map((thread) => waitedMs(`/proc/${each}/task/${thread}/schedstat`)))
      )
    })
    .reduce((sum, ms) => sum + ms, 0)
}

/** The second number of schedstat, in nanoseconds: Documentation/scheduler/sched-stats.rst of the kernel. */
function waitedMs(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

function shuffled<T>(from: readonly T[], dice: Dice): T[] {
  return from
    .map((each) => ({ each, at: dice.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each)
}

async function controls({ run, config, rounds }: Box): Promise<void> {
  const place = ['vision', '--config', join(config.runtimeDirectory, '..', 'roadveil.yaml')]
  const stray = spawn('setpriv', [
    '--pdeathsig',
    'KILL',
    process.execPath,
    '-e',
    'setInterval(() => {}, 1e6)',
    ...place,
  ])
  await once(stray, 'spawn')
  const isThere = (): boolean =>
    commandLines().some(({ pid, line }) => pid === stray.pid && line.includes(' vision '))
  await until('the stray process runs', isThere)
  await expectHarm(rounds, 'broken', 'a vision that outlives its run', async ({ tally }) =>
    judgeStrays(config, run.pid ?? 0, tally),
  )
  stray.kill('SIGKILL')
}
