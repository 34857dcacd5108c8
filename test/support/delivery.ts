import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SignedEndorsement } from '../../src/delivery/endorsements.ts'
import { createForwarder, type Forwarder } from '../../src/delivery/forwarder.ts'
import type { DeliveryTiming } from '../../src/delivery/timing.ts'
import { type BrokerAddress, type BrokerConnection, connectBroker } from '../../src/protocol/connection.ts'
import type { IncomingMessage } from '../../src/protocol/connection.ts'
import type { Station } from '../../src/protocol/topics.ts'
import { loadReceiverConfig, type ReceiverConfig } from '../../src/receiver/config.ts'
import type { IncomingLimits, StoredEvidence } from '../../src/receiver/incoming.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import { loadPublicKey, loadSigningKey, type SigningKey } from '../../src/sealing/keys.ts'
import { verifyReceipt } from '../../src/sealing/receipt.ts'
import { type SealedEvidence, sealEvidence } from '../../src/sealing/seal.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { createWitness } from '../../src/vault/witness.ts'
import { syntheticEvidence } from './evidence.ts'
import { keptLog } from './kept-log.ts'
import { startMosquitto, type TestBroker } from './mosquitto.ts'

export const SITE = 'hill-street'
export const DEVICE = 'box-1'
const STATION: Station = { prefix: 'roadveil', site: SITE, device: DEVICE }

/** Something that runs until it is stopped. */
export interface Running extends AsyncDisposable {
  stop(): Promise<void>
}

/** A box with a real store, a real broker and a real receiver, in one process and with short waits. */
export interface Street extends AsyncDisposable {
  readonly broker: TestBroker
  readonly trial: Trial
  readonly store: Store
  readonly config: ReceiverConfig
  readonly deviceKey: SigningKey
  /** What the receiver has told that it stored. */
  readonly stored: StoredEvidence[]
  readonly log: ReturnType<typeof keptLog>
  /** Seals synthetic evidence and puts it into the store. */
  commit(clipBytes?: number): Promise<SealedEvidence>
  seal(options?: { clipBytes?: number; evidenceId?: string; site?: string }): Promise<SealedEvidence>
  startBox(
    timing?: Partial<DeliveryTiming>,
    endorsements?: readonly SignedEndorsement[],
  ): Running & { readonly forwarder: Forwarder }
  startCity(limits?: IncomingLimits): Running
  /** A connection with the certificate of the box or of the receiver, to do by hand what they would not. */
  connectAs(
    who: 'box' | 'city',
    filters?: string[],
    onMessage?: (message: IncomingMessage) => void,
  ): Promise<BrokerConnection>
}

/** Of a box that is not commanded; test/support/commanded.ts has one that is. */
const NO_COMMANDS = { take: () => undefined, waiting: () => [], sent: () => undefined }

const SHORT = { connectMs: 3000, publishMs: 3000 }
const QUICK = { firstMs: 50, mostMs: 200 }

const QUICK_DELIVERY: DeliveryTiming = {
  connection: SHORT,
  answerMs: 1000,
  confirmMs: 2000,
  pollMs: 50,
  reconnect: QUICK,
  retry: QUICK,
  rejectedMs: 300,
}

/** Sets the street up; neither box nor city runs yet. The store lies below `storeFolder`. */
export async function setUpStreet(directory: string, storeFolder = directory): Promise<Street> {
  const broker = await startMosquitto(join(directory, 'trial'), { site: SITE, device: DEVICE })
  const { trial } = broker
  const file = join(storeFolder, 'store', 'roadveil.db')
  const store = openStore({
    file,
    key: randomBytes(32),
    maxSizeMiB: 64,
    deviceId: DEVICE,
  })
  const config = await loadReceiverConfig(trial.city.config)
  const deviceKey = loadSigningKey({ name: 'none', file: trial.box.signingKey, env: {} })
  const { id, publicKey } = loadPublicKey(trial.box.receiptPublicKey)
  const stored: StoredEvidence[] = []
  const log = keptLog()
  const running = new Set<Running>()

  const start = (run: (signal: AbortSignal) => Promise<void>): Running => {
    const ending = new AbortController()
    const work = run(ending.signal)
    const stop = async (): Promise<void> => {
      ending.abort()
      await work
      running.delete(it)
    }
    const it = { stop, [Symbol.asyncDispose]: stop }
    running.add(it)
    return it
  }

  const seal: Street['seal'] = async (options = {}) => {
    const evidence = syntheticEvidence({ site: SITE, device: DEVICE, ...options })
    return sealEvidence(evidence, {
      signingKey: deviceKey,
      recipients: trial.recipients,
      sealedAt: Date.now(),
    })
  }

  return {
    broker,
    trial,
    store,
    config,
    deviceKey,
    stored,
    log,
    seal,
    async commit(clipBytes) {
      const sealed = await seal(clipBytes === undefined ? {} : { clipBytes })
      const at = Date.now()
      store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: at, at })
      return sealed
    },
    startBox(timing, endorsements = []) {
      const forwarder = createForwarder({
        outbox: store.outbox,
        endorsements,
        certificates: store.certificates,
        commands: NO_COMMANDS,
        checkpoints: createWitness({
          store,
          site: SITE,
          device: DEVICE,
          signingKey: deviceKey,
          now: Date.now,
          logger: log,
        }),
        broker: addressOf(trial.brokerUrl, trial.box),
        station: STATION,
        verifyReceipt: (bytes) => verifyReceipt(bytes, new Map([[id, publicKey]]), { deviceId: DEVICE }),
        softwareVersion: '0.1.0',
        logger: log,
        now: Date.now,
        timing: { ...QUICK_DELIVERY, ...timing },
      })
      return { ...start((signal) => forwarder.run(signal)), forwarder }
    },
    startCity(limits) {
      const receiver = createReceiver(config, {
        logger: log,
        now: Date.now,
        env: {},
        stored: (evidence) => stored.push(evidence),
        timing: { connection: SHORT, reconnect: QUICK, askAfterMs: 200 },
        ...(limits && { limits }),
      })
      return start((signal) => receiver.run(signal))
    },
    connectAs(who, filters = [], onMessage = () => undefined) {
      return connectBroker(
        {
          address: addressOf(trial.brokerUrl, who === 'box' ? trial.box : trial.city),
          clientId: who,
          sessionExpirySeconds: 0,
          filters,
          onMessage: async (message) => {
            onMessage(message)
          },
          timeouts: SHORT,
        },
        new AbortController().signal,
      )
    },
    async [Symbol.asyncDispose]() {
      for (const each of [...running]) await each.stop()
      store[Symbol.dispose]()
      await broker[Symbol.asyncDispose]()
    },
  }
}

function addressOf(url: string, files: { ca: string; certificate: string; key: string }): BrokerAddress {
  const read = (file: string): string => readFileSync(file, 'utf8')
  return { url, ca: read(files.ca), certificate: read(files.certificate), key: read(files.key) }
}
