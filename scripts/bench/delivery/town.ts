import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askVault } from '../../../src/channel/control.ts'
import { connectVault } from '../../../src/channel/link.ts'
import { VAULT_RUNTIME } from '../../../src/cli/run.ts'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { BrokerAddress } from '../../../src/protocol/connection.ts'
import { loadSigningKey } from '../../../src/sealing/keys.ts'
import { type SealedEvidence, sealEvidence } from '../../../src/sealing/seal.ts'
import { loadStoreKeys } from '../../../src/vault/keys.ts'
import { startRoadveil } from '../../../test/cli/roadveil.ts'
import { VERSION } from '../../../src/version.ts'
import { boxSettings } from '../../../test/support/box.ts'
import { syntheticEvidence } from '../../../test/support/evidence.ts'
import { keptLog } from '../../../test/support/kept-log.ts'
import { startMosquitto, type TestBroker } from '../../../test/support/mosquitto.ts'
import { usageOf } from '../process-tree.ts'
import { storeBacklog } from './backlog.ts'
import { noise } from './commit.ts'

/** As long as the other evidence. */
const NOISE_BYTES = 12_000

export const NAMES = { site: 'bench-street', device: 'box-1' } as const

/** Broker, city and box: the real programs. */
export interface Town extends AsyncDisposable {
  readonly broker: TestBroker
  readonly config: Config
  /** The box's certificate. */
  readonly address: BrokerAddress
  seal(): Promise<SealedEvidence>
  /** Stores so much evidence while the vault does not run, and behind it as much noise as makes `count` of it: nobody is to see that. */
  fill(real: number, count: number): Promise<void>
  /** Starts the vault; resolves when it answers, with the seconds that took. */
  startVault(): Promise<Vault>
  /** Hands evidence with clips of so many bytes to the vault that runs, one after the other, as vision does. */
  handOver(clipBytes: number, count: number): Promise<void>
  /** Starts the city; `stored` says how much it has stored. */
  startCity(): Promise<{ stored(): number }>
}

export interface Vault {
  readonly startSeconds: number
  /** Proportional set size, MB. */
  memoryMb(): number
  outbox(): Promise<number>
  stop(): Promise<void>
}

export async function setUpTown(directory: string): Promise<Town> {
  const broker = await startMosquitto(join(directory, 't'), NAMES)
  const { trial } = broker
  mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
  const settings = boxSettings(trial, NAMES)
  const written = { ...settings, store: { ...settings.store, maxSizeMiB: 8192 } }
  writeFileSync(trial.box.config, JSON.stringify(written))
  const config = await loadConfig(trial.box.config)
  const signingKey = loadSigningKey({ name: 'none', file: trial.box.signingKey, env: {} })
  const started = new AsyncDisposableStack()
  started.use(broker)
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const child = startRoadveil(args, { env })
    started.defer(async () => {
      child.kill('SIGTERM')
      await child.ended
    })
    return child
  }

  const town: Omit<Town, typeof Symbol.asyncDispose> = {
    broker,
    config,
    address: {
      url: trial.brokerUrl,
      ca: readFileSync(trial.box.ca, 'utf8'),
      certificate: readFileSync(trial.box.certificate, 'utf8'),
      key: readFileSync(trial.box.key, 'utf8'),
    },
    seal() {
      const evidence = syntheticEvidence({ ...NAMES, clipBytes: 300, pictureBytes: 300 })
      return sealEvidence(evidence, { signingKey, recipients: trial.recipients, sealedAt: Date.now() })
    },
    async fill(real, count) {
      const { database: key } = loadStoreKeys(config, {})
      const { file, maxSizeMiB } = config.store
      const store = { file, key, maxSizeMiB, deviceId: NAMES.device }
      await storeBacklog(store, count, async (index) => (index < real ? town.seal() : noise(NOISE_BYTES)))
    },
    async startVault() {
      const beganAt = performance.now()
      const child = start(['vault', '--config', trial.box.config], { NODE_OPTIONS: VAULT_RUNTIME.join(' ') })
      const status = () => askVault(config.runtimeDirectory, { verb: 'status' }).catch(() => undefined)
      while ((await status()) === undefined) {
        if (child.exitCode !== null) throw new Error(`the vault ended: ${child.output().stderr}`)
        await sleep(10)
      }
      const startSeconds = (performance.now() - beganAt) / 1000
      return {
        startSeconds,
        memoryMb: () => usageOf(child.pid ?? 0).memoryMb,
        outbox: async () => (await status())?.store.outbox ?? Infinity,
        async stop() {
          child.kill('SIGTERM')
          await child.ended
        },
      }
    },
    async handOver(clipBytes, count) {
      const { runtimeDirectory, sha256: configSha256, cameras } = config
      const hello = { version: VERSION, configSha256 }
      const options = { socketPath: join(runtimeDirectory, 'vault.sock'), hello, logger: keptLog() }
      await using link = connectVault(options, new AbortController().signal)
      const about = { ...NAMES, camera: cameras[0]?.id ?? '', configSha256, clipBytes }
      for (let left = count; left > 0; left--) {
        const answer = await link.deliver(syntheticEvidence(about))
        if (answer !== 'stored') throw new Error('the vault did not take what was handed over')
      }
    },
    async startCity() {
      const child = start(['receive', '--json', '--config', trial.city.config])
      let stored = 0
      child.stdout?.on('data', (text: string) => (stored += text.split('\n').length - 1))
      while (!child.output().stderr.includes('connected to the broker')) await sleep(20)
      return { stored: () => stored }
    },
  }
  return { ...town, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
