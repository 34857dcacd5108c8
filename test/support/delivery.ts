import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SignedEndorsement } from '../../src/delivery/endorsements.ts'
import { createForwarder, type Forwarder } from '../../src/delivery/forwarder.ts'
import type { DeliveryTiming } from '../../src/delivery/timing.ts'
import {
  type BrokerAddress,
  type BrokerConnection,
  type ConnectBroker,
  connectBroker,
} from '../../src/protocol/connection.ts'
import type { IncomingMessage } from '../../src/protocol/connection.ts'
import type { Station } from '../../src/protocol/topics.ts'
import { loadReceiverConfig, type ReceiverConfig } from '../../src/receiver/config.ts'
import type { IncomingLimits, StoredEvidence } from '../../src/receiver/incoming.ts'
import { createReceiver, type ReceiverTiming } from '../../src/receiver/receiver.ts'
import { loadPublicKey, loadSigningKey, type SigningKey } from '../../src/sealing/keys.ts'
import { verifyReceipt } from '../../src/sealing/receipt.ts'
import { type SealedEvidence, sealEvidence } from '../../src/sealing/seal.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { createWitness } from '../../src/vault/witness.ts'
import { syntheticEvidence, type SyntheticOptions } from './evidence.ts'
import { tellHandled } from './handled.ts'
import { keptLog } from './kept-log.ts'
import { startMosquitto, type TestBroker } from './mosquitto.ts'

export const SITE = 'hill-street'
export const DEVICE = 'box-1'
export const STATION: Station = { prefix: 'roadveil', site: SITE, device: DEVICE }

/** Something that runs until it is stopped. */
export interface Running extends AsyncDisposable {
  stop(): Promise<void>
}

/** A box with a real store, and a real receiver, in one process and with short waits. */
export interface BoxAndCity extends AsyncDisposable {
  readonly trial: Trial
  readonly store: Store
  readonly config: ReceiverConfig
  readonly deviceKey: SigningKey
  /** What the receiver has told that it stored. */
  readonly stored: StoredEvidence[]
  /** What both have logged. */
  readonly log: ReturnType<typeof keptLog>
  /** Seals synthetic evidence and puts it into the store. */
  commit(clipBytes?: number): Promise<SealedEvidence>
  seal(options?: SyntheticOptions): Promise<SealedEvidence>
  startBox(
    timing?: Partial<DeliveryTiming>,
    endorsements?: readonly SignedEndorsement[],
  ): Running & { readonly forwarder: Forwarder }
  startCity(limits?: IncomingLimits): Running
}

/** The same with a real broker between them. */
export interface Street extends BoxAndCity {
  readonly broker: TestBroker
  /** A connection with the certificate of the box or of the receiver, to do by hand what they would not. */
  connectAs(
    who: 'box' | 'city',
    filters?: string[],
    onMessage?: (message: IncomingMessage) => void,
  ): Promise<BrokerConnection>
}

/** Of a box that is not commanded; test/support/commanded.ts has one that is. */
const NO_COMMANDS = { take: async () => undefined, waiting: () => [], sent: () => undefined }

const SHORT = { connectMs: 3000, publishMs: 3000 }
const QUICK = { firstMs: 50, mostMs: 200 }

export const QUICK_DELIVERY: DeliveryTiming = {
  connection: SHORT,
  answerMs: 1000,
  confirmMs: 2000,
  patienceMs: 3000,
  pollMs: 50,
  reconnect: QUICK,
  retry: QUICK,
  rejectedMs: 300,
}

export interface BoxAndCityOptions {
  /** The host's clock. */
  readonly now?: () => number
  readonly maxSizeMiB?: number
  /** Below it lies the store, where it is not the street's own. */
  readonly storeFolder?: string
  /** Ports on which the broker is reached, where something lies between; read at each start of one. */
  readonly ports?: { readonly box: number; readonly city: number }
  /** In place of a network. */
  readonly connect?: ConnectBroker
  readonly cityTiming?: Partial<ReceiverTiming>
}

/** Sets the street up; neither box nor city runs yet. */
export async function setUpStreet(directory: string, options: BoxAndCityOptions = {}): Promise<Street> {
  const broker = await startMosquitto(join(directory, 'trial'), { site: SITE, device: DEVICE })
  const { trial } = broker
  const both = await setUpBoxAndCity(trial, directory, options)
  return {
    ...both,
    broker,
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
      await both[Symbol.asyncDispose]()
      await broker[Symbol.asyncDispose]()
    },
  }
}

/** Sets up the box and the city of a trial, whose broker is somebody else's business; neither runs yet. */
export async function setUpBoxAndCity(
  trial: Trial,
  directory: string,
  {
    now = Date.now,
    maxSizeMiB = 64,
    storeFolder = directory,
    ports,
    connect,
    cityTiming,
  }: BoxAndCityOptions = {},
): Promise<BoxAndCity> {
  const network = connect && { connect }
  const file = join(storeFolder, 'store', 'roadveil.db')
  const key = randomBytes(32)
  tellHandled({ kind: 'secret', name: 'the database key', secret: key })
  const store = openStore({
    file,
    key,
    maxSizeMiB,
    deviceId: DEVICE,
  })
  const written = await loadReceiverConfig(trial.city.config)
  const urlOf = (port: number | undefined): string =>
    port === undefined ? trial.brokerUrl : `mqtts://127.0.0.1:${port}`
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
      sealedAt: now(),
    })
  }

  return {
    trial,
    store,
    config: written,
    deviceKey,
    stored,
    log,
    seal,
    async commit(clipBytes) {
      const sealed = await seal(clipBytes === undefined ? {} : { clipBytes })
      const at = now()
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
          now,
          logger: log,
        }),
        broker: addressOf(urlOf(ports?.box), trial.box),
        station: STATION,
        verifyReceipt: (bytes) => verifyReceipt(bytes, new Map([[id, publicKey]]), { deviceId: DEVICE }),
        softwareVersion: '0.1.0',
        logger: log,
        now,
        timing: { ...QUICK_DELIVERY, ...timing },
        ...network,
      })
      return { ...start((signal) => forwarder.run(signal)), forwarder }
    },
    startCity(limits) {
      const config = { ...written, broker: { ...written.broker, url: urlOf(ports?.city) } }
      const receiver = createReceiver(config, {
        logger: log,
        now,
        env: {},
        stored: (evidence) => stored.push(evidence),
        timing: { connection: SHORT, reconnect: QUICK, askAfterMs: 200, ...cityTiming },
        ...(limits && { limits }),
        ...network,
      })
      return start((signal) => receiver.run(signal))
    },
    async [Symbol.asyncDispose]() {
      for (const each of [...running]) await each.stop()
      store[Symbol.dispose]()
    },
  }
}

/** The broker, as one of a trial's certificates reaches it. */
export function addressOf(
  url: string,
  files: { ca: string; certificate: string; key: string },
): BrokerAddress {
  const read = (file: string): string => readFileSync(file, 'utf8')
  return { url, ca: read(files.ca), certificate: read(files.certificate), key: read(files.key) }
}
