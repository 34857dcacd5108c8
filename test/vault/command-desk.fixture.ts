import { randomUUID } from 'node:crypto'
import type { Config } from '../../src/config/config.ts'
import type { CommandDesk } from '../../src/delivery/commands.ts'
import { RoadveilError } from '../../src/errors.ts'
import { type Answer, verifyAnswer } from '../../src/sealing/answer.ts'
import { signCommand, type UnsignedCommand } from '../../src/sealing/command.ts'
import { loadPublicKey, loadSigningKey } from '../../src/sealing/keys.ts'
import { sha256Hex } from '../../src/sealing/seal.ts'
import { readSigningFile } from '../../src/sealing/signing-file.ts'
import type { CommandKey } from '../../src/store/command.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { accountSigner } from '../../src/vault/certificates.ts'
import { createCommandDesk } from '../../src/vault/commands.ts'
import { createExecutor } from '../../src/vault/execution.ts'
import { loadStoreKeys, signingKeySource } from '../../src/vault/keys.ts'
import { createRefusals } from '../../src/vault/refusals.ts'
import { createSigner, type Signer } from '../../src/vault/signer.ts'
import { boxConfig, brokerlessTrial } from '../support/box.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'

const NAMES = { site: 'hill-street', device: 'box-1' } as const
const DAY_MS = 86_400_000

interface Sent {
  readonly commandId: string
  readonly envelope: Buffer
}

/** The desk that takes commands, with a real store and real keys, and a clock that a test sets. */
export interface DeskTest extends Disposable {
  readonly trial: Trial
  readonly config: Config
  readonly store: Store
  readonly signer: Signer
  readonly desk: CommandDesk
  setClock(at: number): void
  /** As if no row of the audit log had a time that says more than the clock. */
  forgetTimes(): void
  sign(draft: object): Sent
  keyOf(sent: Sent): CommandKey
  /** Hands a command over and returns the answers that wait then, which count as sent. */
  take(sent: Sent): readonly Answer[]
  /** From now on the store fails when a command is to be concluded, or its answer kept. */
  failAt(step: 'conclude' | 'keep'): void
  /** A new process on the same files. */
  restart(): void
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
  const store = openStore({ ...config.store, key, deviceId: NAMES.device })
  let at = start
  let timesCount = true

  const open = (commands: Store['commands'] = store.commands) => {
    const signer = createSigner(config, readSigningFile(signingKeySource(config, {})), {})
    const now = (): number => at
    const logger = keptLog()
    const expiry = { ...store.expiry, newestAt: () => (timesCount ? store.expiry.newestAt() : undefined) }
    const execute = createExecutor({
      ...{ store: { ...store, expiry }, signer, sign: accountSigner(config, signer) },
      ...{ onQueued: () => undefined, onRotated: () => undefined },
    })
    const refusals = createRefusals({ audit: store.audit, now, logger })
    const about = { ...NAMES, cityKeys: new Map([[id, publicKey]]), now, logger }
    const desk = createCommandDesk({
      ...about,
      store: { ...store, commands, expiry },
      signer,
      execute,
      refusals,
    })
    return { signer, desk }
  }
  let box = open()

  const it: DeskTest = {
    trial,
    config,
    store,
    get signer() {
      return box.signer
    },
    get desk() {
      return box.desk
    },
    setClock: (to) => void (at = to),
    forgetTimes: () => void (timesCount = false),
    sign(draft) {
      const issuedAt = new Date(at).toISOString()
      const expiresAt = new Date(at + DAY_MS).toISOString()
      const about = { commandId: randomUUID(), site: NAMES.site, deviceId: NAMES.device, issuedAt, expiresAt }
      const command = { ...about, by: 'ada', reason: 'a test', ...draft } as unknown as UnsignedCommand
      return { commandId: command.commandId, envelope: Buffer.from(signCommand(command, commandKey)) }
    },
    keyOf: ({ commandId, envelope }) => ({
      ...{ commandId, sha256: sha256Hex(envelope), expiresAt: at + DAY_MS },
    }),
    take({ commandId, envelope }) {
      box.desk.take(commandId, envelope)
      const waiting = box.desk.waiting()
      for (const answer of waiting) box.desk.sent(answer)
      return waiting.map((answer) => answerOf(it, answer.envelope))
    },
    failAt(step) {
      const fail = (): never => {
        throw new RoadveilError('ERR_STORE_FULL', 'the disk is full')
      }
      box = open({ ...store.commands, [step]: fail })
    },
    restart: () => void (box = open()),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
  return it
}

/** Verifies an answer with any key that the box has signed with. */
export function answerOf({ signer }: DeskTest, envelope: Uint8Array): Answer {
  return verifyAnswer(envelope, { deviceId: NAMES.device, deviceKeys: signer.signers })
}
