import type { Config } from '../../src/config/config.ts'
import type { CommandDesk } from '../../src/delivery/commands.ts'
import { RoadveilError } from '../../src/errors.ts'
import { type Answer, verifyAnswer } from '../../src/sealing/answer.ts'
import { loadPublicKey, loadSigningKey } from '../../src/sealing/keys.ts'
import { sha256Hex } from '../../src/sealing/seal.ts'
import type { CommandKey } from '../../src/store/command.ts'
import { clockJudge } from '../../src/retention/clock.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import type { Signer } from '../../src/vault/signer.ts'
import { boxConfig, brokerlessTrial } from '../support/box.ts'
import { deskOn, type SentCommand, signDraft } from '../support/command-desk.ts'
import { shortFolder } from '../support/short-folder.ts'

const NAMES = { site: 'hill-street', device: 'box-1' } as const
const DAY_MS = 86_400_000

/** The desk that takes commands, with a real store and real keys, and a clock that a test sets. */
export interface DeskTest extends Disposable {
  readonly trial: Trial
  readonly config: Config
  readonly store: Store
  readonly signer: Signer
  readonly desk: CommandDesk
  setClock(at: number): void
  /** From now on a time server keeps it. */
  keepClock(): void
  /** As if no row of the audit log had a time that says more than the clock. */
  forgetTimes(): void
  sign(draft: object): SentCommand
  keyOf(sent: SentCommand): CommandKey
  /** Hands a command over and returns the answers that wait then, which count as sent. */
  take(sent: SentCommand): Promise<readonly Answer[]>
  /** From now on the store fails when a command is to be concluded, or its answer kept. */
  failAt(step: 'conclude' | 'keep'): Promise<void>
  /** A new process on the same files. */
  restart(): Promise<void>
  /** The same after the store was closed and its files were changed, as the vault starts: what is damaged is salvaged. */
  restartAfter(change: (file: string) => void): Promise<void>
}

export async function setUpDesk(
  t: { teardown(act: () => Promise<void>): void },
  start: number,
): Promise<DeskTest> {
  const trial = await brokerlessTrial(await shortFolder(t), NAMES)
  const config = boxConfig(trial, NAMES)
  const { id, publicKey } = loadPublicKey(trial.box.commandPublicKey)
  const commandKey = loadSigningKey({ name: 'none', file: trial.city.commandKey, env: {} })
  const { database: key } = loadStoreKeys(config, {})
  let at = start
  let timesCount = true
  let isKept = false

  const openFiles = (): Store => openStore({ ...config.store, key, deviceId: NAMES.device, salvage: { at } })
  let store = openFiles()
  const open = async (commands: Store['commands'] = store.commands) => {
    const isClockPlausible = clockJudge({
      newestAt: () => (timesCount ? store.expiry.newestAt() : undefined),
      isKept: async () => isKept,
    })
    const cityKeys = new Map([[id, publicKey]])
    return deskOn({ ...store, commands }, { config, cityKeys, now: () => at, isClockPlausible })
  }
  let box = await open()

  const it: DeskTest = {
    trial,
    config,
    get store() {
      return store
    },
    get signer() {
      return box.signer
    },
    get desk() {
      return box.desk
    },
    setClock: (to) => void (at = to),
    keepClock: () => void (isKept = true),
    forgetTimes: () => void (timesCount = false),
    sign: (draft) => signDraft(draft, { config, key: commandKey, at }),
    keyOf: ({ commandId, envelope }) => ({
      ...{ commandId, sha256: sha256Hex(envelope), issuedAt: at, expiresAt: at + DAY_MS },
    }),
    async take({ commandId, envelope }) {
      await box.desk.take(commandId, envelope)
      const waiting = box.desk.waiting()
      for (const answer of waiting) box.desk.sent(answer)
      return waiting.map((answer) => answerOf(it, answer.envelope))
    },
    async failAt(step) {
      const fail = (): never => {
        throw new RoadveilError('ERR_STORE_FULL', 'the disk is full')
      }
      box = await open({ ...store.commands, [step]: fail })
    },
    async restart() {
      box = await open()
    },
    async restartAfter(change) {
      store[Symbol.dispose]()
      change(config.store.file)
      store = openFiles()
      box = await open()
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
  return it
}

/** Verifies an answer with any key that the box has signed with. */
export function answerOf({ signer }: DeskTest, envelope: Uint8Array): Answer {
  return verifyAnswer(envelope, { deviceId: NAMES.device, deviceKeys: signer.signers })
}
