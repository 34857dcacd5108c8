import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type VaultLink, connectVault } from '../../src/channel/link.ts'
import { askVault } from '../../src/channel/control.ts'
import type { VaultStatus } from '../../src/channel/control-messages.ts'
import type { Config } from '../../src/config/config.ts'
import { type BrokerConnection, connectBroker } from '../../src/protocol/connection.ts'
import { answerTopic, commandTopic } from '../../src/protocol/topics.ts'
import { type Answer, verifyAnswer } from '../../src/sealing/answer.ts'
import { signCommand, type UnsignedCommand } from '../../src/sealing/command.ts'
import { loadPublicKey, loadSigningKey, type SigningKey } from '../../src/sealing/keys.ts'
import { type AuditRow } from '../../src/store/audit.ts'
import { openAudit } from '../../src/store/open.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { runVault } from '../../src/vault/vault.ts'
import { VERSION } from '../../src/version.ts'
import { boxConfig } from './box.ts'
import { syntheticEvidence, type SyntheticOptions } from './evidence.ts'
import { keptLog } from './kept-log.ts'
import { startMosquitto, type TestBroker } from './mosquitto.ts'
import { shortFolder } from './short-folder.ts'
import { until } from './until.ts'

/** A box with a real vault and a real broker, and the city's side of commands done by hand. */

export const NAMES = { site: 'hill-street', device: 'box-1' } as const
const STATION = { prefix: 'roadveil', ...NAMES }
const DAY_MS = 86_400_000

/** What a test wants a box to do. */
export type Draft = Partial<UnsignedCommand> & Pick<UnsignedCommand, 'kind'>

export interface Commanded extends AsyncDisposable {
  readonly broker: TestBroker
  readonly config: Config
  readonly commandKey: SigningKey
  readonly log: ReturnType<typeof keptLog>
  /** Starts the vault in this process; returns how to stop it. */
  startVault(): Promise<() => Promise<void>>
  /** Hands evidence over as vision does, and returns its id. */
  deliver(options?: SyntheticOptions): Promise<string>
  sign(draft: Draft, key?: SigningKey): { readonly commandId: string; readonly envelope: Buffer }
  /** Publishes bytes as a command. */
  publish(commandId: string, envelope: Uint8Array): Promise<void>
  /** Signs, publishes and waits for the answer. */
  command(draft: Draft): Promise<Answer>
  /** Every answer envelope that came for a command. */
  answersTo(commandId: string): readonly Buffer[]
  read(envelope: Uint8Array): Answer
  status(): Promise<VaultStatus>
  /** Whether a vault runs, and the broker has it. */
  readonly isConnected: () => Promise<boolean>
  /** The audit log of a vault that was stopped, newest first. */
  audit(): readonly AuditRow[]
}

/** Sets up box and broker; the vault does not run yet. */
export async function setUpCommanded(t: { teardown(act: () => Promise<void>): void }): Promise<Commanded> {
  const broker = await startMosquitto(join(await shortFolder(t), 't'), NAMES)
  const { trial } = broker
  const config = boxConfig(trial, NAMES)
  const commandKey = loadSigningKey({ name: 'none', file: trial.city.commandKey, env: {} })
  const deviceKeys = new Map(
    [loadPublicKey(join(trial.city.devices, `${NAMES.device}.pem`))].map(({ id, publicKey }) => [
      id,
      publicKey,
    ]),
  )
  const log = keptLog()
  const answers: { readonly commandId: string; readonly envelope: Buffer }[] = []
  const city = await connectCity(broker, (commandId, envelope) => answers.push({ commandId, envelope }))
  const stops = new Set<() => Promise<void>>()
  let vision: VaultLink | undefined

  const commanded: Commanded = {
    broker,
    config,
    commandKey,
    log,
    async startVault() {
      const ending = new AbortController()
      const ended = runVault(config, ending.signal, { logger: log })
      const stop = async (): Promise<void> => {
        stops.delete(stop)
        await vision?.[Symbol.asyncDispose]()
        vision = undefined
        ending.abort()
        await ended
      }
      stops.add(stop)
      await Promise.race([ended, until('the box is connected', commanded.isConnected)])
      return stop
    },
    async deliver(options = {}) {
      vision ??= connectVault(
        {
          socketPath: join(config.runtimeDirectory, 'vault.sock'),
          hello: { version: VERSION, configSha256: config.sha256 },
          logger: log,
        },
        new AbortController().signal,
      )
      const evidence = syntheticEvidence({
        ...NAMES,
        configSha256: config.sha256,
        clipBytes: 3000,
        ...options,
      })
      await vision.deliver(evidence)
      return evidence.facts.evidenceId
    },
    sign(draft, key = commandKey) {
      const at = Date.now()
      const command = {
        ...{ commandId: randomUUID(), site: NAMES.site, deviceId: NAMES.device, by: 'ada', reason: 'a test' },
        ...{ issuedAt: new Date(at).toISOString(), expiresAt: new Date(at + DAY_MS).toISOString() },
        ...draft,
      } as UnsignedCommand
      return { commandId: command.commandId, envelope: Buffer.from(signCommand(command, key)) }
    },
    publish: (commandId, envelope) => city.publish(commandTopic(STATION, commandId), Buffer.from(envelope)),
    async command(draft) {
      const { commandId, envelope } = commanded.sign(draft)
      await commanded.publish(commandId, envelope)
      await until('it is answered', () => commanded.answersTo(commandId).length > 0)
      return commanded.read(commanded.answersTo(commandId)[0] ?? Buffer.from(''))
    },
    answersTo: (commandId) =>
      answers.filter((each) => each.commandId === commandId).map(({ envelope }) => envelope),
    read: (envelope) => verifyAnswer(envelope, { deviceId: NAMES.device, deviceKeys }),
    status: () => askVault(config.runtimeDirectory, { verb: 'status' }),
    async isConnected() {
      const status = await commanded.status().catch(() => undefined)
      return status?.delivery.connected === true
    },
    audit() {
      const { database: key } = loadStoreKeys(config, {})
      using store = openAudit({ ...config.store, key })
      store.audit.verify()
      return store.audit.list(10_000)
    },
    async [Symbol.asyncDispose]() {
      for (const stop of [...stops]) await stop()
      await city[Symbol.asyncDispose]()
      await broker.kill()
    },
  }
  return commanded
}

async function connectCity(
  { trial }: TestBroker,
  onAnswer: (commandId: string, envelope: Buffer) => void,
): Promise<BrokerConnection> {
  const { ca, commanderCertificate, commanderKey } = trial.city
  const read = (file: string): string => readFileSync(file, 'utf8')
  return connectBroker(
    {
      address: {
        ...{ url: trial.brokerUrl, ca: read(ca) },
        ...{ certificate: read(commanderCertificate), key: read(commanderKey) },
      },
      clientId: 'commander',
      sessionExpirySeconds: 0,
      filters: [answerTopic(STATION, '+')],
      onMessage: async ({ topic, payload }) => onAnswer(topic.split('/').at(-1) ?? '', payload),
      timeouts: { connectMs: 3000, publishMs: 3000 },
    },
    new AbortController().signal,
  )
}
