import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sceneCamera } from '../../../scripts/demo/trial.ts'
import { connectVault } from '../../../src/channel/link.ts'
import { askVault } from '../../../src/channel/control.ts'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { VERSION } from '../../../src/version.ts'
import { MAIN, type RoadveilProcess, startRoadveil } from '../../cli/roadveil.ts'
import { boxSettings } from '../../support/box.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { keptLog } from '../../support/kept-log.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { killed } from '../../support/town.ts'
import { until } from '../../support/until.ts'
import { layLyingLink } from '../lying-link.ts'
import { watchMachine } from '../machine.ts'
import { plantedSecrets } from '../planted.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

const NAMES = { site: 'main-street', device: 'box-1' }
const PLATE = 'LEA8842QX'
const PASSWORD = 'w1nter-Rose-4471'

/** Whole processes with planted secrets, one of which dies of a signal that dumps core; and proof that the search would find them. */
export const leaks: FaultSuite = {
  name: 'leaks',
  fault: 'planted plates, pictures, passwords, keys: disk, processes, logs, traffic, core dumps',
  counts: { short: 6, long: 100 },
  async run(rounds) {
    const { folder, count, dice, tally, planted, signal } = rounds
    await using broker = await startMosquitto(join(folder, 't'), NAMES)
    const traffic: Buffer[] = []
    await using link = await layLyingLink(
      broker.trial,
      broker.port,
      () => 'pass',
      (bytes) => traffic.push(bytes),
    )
    const { trial } = broker
    const config = await writeBox(rounds, trial, link.port)
    planted.plant('the plate', PLATE)
    planted.plant("the camera's password", PASSWORD)
    planted.except(credentialsOf(trial))

    const processes: RoadveilProcess[] = []
    const start = (...args: readonly string[]): RoadveilProcess => {
      // Core dumps are allowed, as a careless machine has it.
      const cwd = join(folder, 'cwd')
      const child = startRoadveil(args, { cwd, main: MAIN, env: { TMPDIR: join(folder, 'tmp'), HOME: cwd } })
      if (child.pid !== undefined) spawnSync('prlimit', ['--pid', String(child.pid), '--core=unlimited'])
      processes.push(child)
      return child
    }
    try {
      start('receive', '--json', '--config', trial.city.config)
      let vault = start('vault', '--config', trial.box.config)
      for (let index = 0; index < count && !signal.aborted; index++) {
        tally.injected()
        const evidence = syntheticEvidence({
          ...{ ...NAMES, camera: 'cam-1', configSha256: config.sha256, plateText: PLATE },
          clipBytes: dice.between(300, 300_000),
        })
        await handOver(config, evidence)
        if (index !== Math.floor(count / 2)) continue
        vault.kill('SIGABRT')
        await vault.ended
        vault = start('vault', '--config', trial.box.config)
      }
      await until('everything is delivered', async () => {
        const status = await askVault(config.runtimeDirectory, { verb: 'status' }).catch(() => undefined)
        return status?.store.outbox === 0
      })
      await killed(vault)
      // The one that has the camera's password: it is let try for a moment.
      const vision = start('vision', '--config', trial.box.config)
      await until('vision tries the camera', () => vision.output().stderr.includes('camera'))
      await sleep(1_000)
    } finally {
      for (const each of processes) await killed(each)
    }
    for (const each of processes) {
      const { stdout, stderr } = each.output()
      for (const hit of planted.within('what a process has printed', stdout + stderr))
        tally.harm('leaked', hit)
    }
    for (const hit of planted.within('what went over the broker', Buffer.concat(traffic)))
      tally.harm('leaked', hit)
    await proveTheSearch(rounds, traffic)
  },
}

async function writeBox(
  { folder }: Rounds,
  trial: Parameters<typeof boxSettings>[0],
  port: number,
): Promise<Config> {
  for (const name of ['cwd', 'tmp']) mkdirSync(join(folder, name), { mode: 0o700 })
  mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
  const credentials = credentialsOf(trial)
  writeFileSync(credentials, `operator:${PASSWORD}\n`, { mode: 0o600 })
  const camera = sceneCamera('cam-1', { url: 'rtsp://127.0.0.1:1/stream', credentialsFile: credentials })
  const settings = boxSettings(trial, NAMES, [camera])
  const broker = { ...settings.broker, url: `mqtts://127.0.0.1:${port}` }
  const logs = { level: 'debug', directory: join(trial.box.directory, 'logs') }
  writeFileSync(trial.box.config, JSON.stringify({ ...settings, broker, logs }))
  return loadConfig(trial.box.config)
}

function credentialsOf({ box }: Parameters<typeof boxSettings>[0]): string {
  return join(box.directory, 'keys', 'camera')
}

/** As vision does it. */
async function handOver(config: Config, evidence: ReturnType<typeof syntheticEvidence>): Promise<void> {
  const socketPath = join(config.runtimeDirectory, 'vault.sock')
  const hello = { version: VERSION, configSha256: config.sha256 }
  await using link = connectVault({ socketPath, hello, logger: keptLog() }, AbortSignal.timeout(60_000))
  const answer = await link.deliver(evidence)
  if (answer !== 'stored') throw new Error(`vault refused: ${answer.refused}`)
}

/** Leaks another secret everywhere on purpose: what does not find it there would not have found the others. */
async function proveTheSearch({ folder, tally }: Rounds, traffic: readonly Buffer[]): Promise<void> {
  const decoy = 'dec0y-Rose-5519'
  const decoys = plantedSecrets()
  decoys.plant('the decoy', decoy)
  const prove = (where: string, hits: readonly string[]): void => {
    if (hits.length === 0) tally.harm('broken', `the search does not find what lies ${where}`)
  }
  const file = join(folder, 'decoy')
  writeFileSync(file, `${'x'.repeat(2 ** 20 - 5)}${decoy}`)
  prove('in a file', await decoys.search([folder]))
  prove('in a message', decoys.within('traffic', Buffer.concat([...traffic, Buffer.from(decoy)])))

  using watch = watchMachine(folder)
  const cwd = join(folder, 'cwd')
  const shell = `ulimit -c unlimited; sleep 0.5; kill -ABRT $$`
  const dying = spawn('sh', ['-c', shell, decoy], { cwd, stdio: 'ignore' })
  await once(dying, 'exit')
  prove('in a process list', await watch.search(decoys))
  const hasCore = existsSync(join(cwd, 'core')) || existsSync(join(cwd, `core.${dying.pid}`))
  const isPlain = !/[/|%]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim())
  if (isPlain && !hasCore)
    tally.harm('broken', 'a process that is told to does not dump core here: nothing was proved')
  if (hasCore) prove('in a core dump', await decoys.search([cwd]))
}
