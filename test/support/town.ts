import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askVault } from '../../src/channel/control.ts'
import type { EvidenceRow, VaultStatus } from '../../src/channel/control-messages.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { loadManifest } from '../../src/models/manifest.ts'
import { MANIFEST_FILE } from '../../src/models/source.ts'
import { openStore } from '../../src/store/open.ts'
import { loadVaultKeys } from '../../src/vault/keys.ts'
import { selftestSubject } from '../../src/vision/selftest/verdict.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { type RoadveilProcess, roadveil, startRoadveil } from '../cli/roadveil.ts'
import { boxSettings } from './box.ts'
import { type TestBroker, startMosquitto } from './mosquitto.ts'
import { shortFolder } from './short-folder.ts'
import { until } from './until.ts'

/** A broker, a city and a box: real programs, each in a process of its own. */

export const NAMES = { site: 'main-street', device: 'box-1' } as const

export interface Town {
  readonly broker: TestBroker
  readonly trial: Trial
  /** Where the processes would put temporary files, and their home. */
  readonly temporary: string
  readonly config: Config
  /** Starts `roadveil run`, `vision` or `vault` on the box's config. */
  startBox(verb: 'run' | 'vision' | 'vault'): RoadveilProcess
  startReceiver(): RoadveilProcess
  /** `roadveil status --json`, once the box answers. */
  status(): Promise<VaultStatus>
  /** `roadveil evidence list --json`, once the box answers. */
  evidenceOnBox(): Promise<readonly EvidenceRow[]>
  /** Folders of opened evidence. */
  opened(): readonly string[]
}

interface Test {
  teardown(act: () => Promise<void>): void
}

interface TownOptions {
  /** `main.ts` of the release that runs, where it is not this one. */
  readonly main?: string
  /** The box has not run before: its networks have not passed the self-test. */
  readonly isNew?: boolean
}

/** Sets a town up: its broker runs, box and receiver do not yet. Everything that is started ends with the test. */
export async function setUpTown(
  t: Test,
  cameras: readonly object[],
  { main, isNew = false }: TownOptions = {},
): Promise<Town> {
  const folder = await shortFolder(t)
  const broker = await startMosquitto(join(folder, 't'), NAMES)
  t.teardown(() => broker.kill())
  const { trial } = broker
  const temporary = join(folder, 'tmp')
  for (const each of [temporary, join(trial.box.directory, 'state')]) mkdirSync(each, { mode: 0o700 })
  const settings = {
    ...boxSettings(trial, NAMES, cameras),
    logs: { level: 'debug', directory: join(trial.box.directory, 'logs') },
  }
  // JSON is YAML, too.
  writeFileSync(trial.box.config, JSON.stringify(settings, null, 2))
  const config = await loadConfig(trial.box.config)
  if (!isNew) await passSelftest(config)

  const start = (args: readonly string[]): RoadveilProcess => {
    // As on the street: libraries that behave themselves where they are tested must do so here, too.
    const home = { HOME: temporary, TMPDIR: temporary, XDG_CACHE_HOME: undefined }
    const env = { ...home, CI: undefined, GITHUB_ACTIONS: undefined }
    const started = startRoadveil(args, { env, ...(main === undefined ? {} : { main }) })
    t.teardown(() => killed(started))
    return started
  }
  const answerOf = async <T>(...verb: readonly string[]): Promise<T> => {
    for (;;) {
      const { code, stdout } = await roadveil([...verb, '--json', '--config', trial.box.config])
      if (code === 0) return JSON.parse(stdout) as T
      await sleep(500)
    }
  }
  return {
    broker,
    trial,
    temporary,
    config,
    startBox: (verb) => start([verb, '--config', trial.box.config]),
    startReceiver: () => start(['receive', '--json', '--config', trial.city.config]),
    status: () => answerOf<VaultStatus>('status'),
    evidenceOnBox: async () =>
      (await answerOf<{ evidence: readonly EvidenceRow[] }>('evidence', 'list')).evidence,
    opened: () => openedBelow(join(trial.city.evidence, NAMES.site, NAMES.device)),
  }
}

/** As if this software and its networks had run on the box before: the self-test takes as long as a whole evidence. */
export async function passSelftest(config: Config): Promise<void> {
  const { database: key } = await loadVaultKeys(config, process.env)
  const { file, maxSizeMiB } = config.store
  using store = openStore({ file, key, maxSizeMiB, deviceId: config.device.id })
  const subjectSha256 = selftestSubject(await loadManifest(MANIFEST_FILE))
  store.selftests.record({ subjectSha256, passed: true, at: Date.now() })
}

/** Ends a process as a power cut would. */
export async function killed(running: RoadveilProcess): Promise<void> {
  if (running.exitCode === null && running.signalCode === null) running.kill('SIGKILL')
  await running.ended
}

/** The status of a box, asked without a process of its own; undefined while it does not answer. */
export async function quickStatus({ config }: Town): Promise<VaultStatus | undefined> {
  return askVault(config.runtimeDirectory, { verb: 'status' }).catch(() => undefined)
}

/** Waits until it is true; whole processes take their time. */
export async function waitFor(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  patience: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<void> {
  await until(what, isTrue, { withinMs: 200_000, everyMs: 100, ...patience })
}

interface LogLine {
  readonly process: string
  readonly message: string
  readonly code?: string
  readonly evidenceId?: string
  readonly at?: string
  readonly role?: string
  readonly pid?: number
}

/** The log lines that a process has written with this message. */
export function logged(running: RoadveilProcess, message: string): LogLine[] {
  return running
    .output()
    .stderr.split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => line.message === message)
}

function openedBelow(directory: string): string[] {
  return namesIn(directory)
    .filter((name) => !name.startsWith('.'))
    .map((name) => join(directory, name))
}

/** Names in a folder; none where there is no folder. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
