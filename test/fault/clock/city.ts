import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { verifyAnswer } from '../../../src/sealing/answer.ts'
import { signCommand, type UnsignedCommand } from '../../../src/sealing/command.ts'
import { keyIdOf, type SigningKey } from '../../../src/sealing/keys.ts'
import type { IsClockPlausible } from '../../../src/retention/clock.ts'
import type { SignAccount } from '../../../src/store/certificate.ts'
import type { Store } from '../../../src/store/open.ts'
import { createCommandDesk } from '../../../src/vault/commands.ts'
import { createExecutor } from '../../../src/vault/execution.ts'
import { createRefusals } from '../../../src/vault/refusals.ts'
import { keptLog } from '../../support/kept-log.ts'
import { DEVICE } from '../../store/store.fixture.ts'

const SITE = 'main-street'
const DAY = 86_400_000

/** The city, which has a right clock. */
export interface City {
  /**
   * Commands a hold on what is to come, valid for a week of the city's clock, and says what the box answers: `done`, or the code of
   * the refusal.
   */
  command(cityClock: number): Promise<string>
  /** How many were done. */
  readonly done: number
}

/** The city of a box whose clock shows `now`: the real desk for commands on the box's store. */
export function cityOf(
  store: Store,
  box: {
    readonly now: () => number
    readonly isClockPlausible: IsClockPlausible
    readonly sign: SignAccount
  },
): City {
  const [cityKey, boxKey] = [freshKey(), freshKey()]
  const logger = keptLog()
  const { now, isClockPlausible, sign } = box
  const signer = {
    signingKey: boxKey,
    endorsements: [],
    signers: verifiers(boxKey),
    rotate: () => {
      throw new Error('nobody commands that here')
    },
  }
  const nothing = (): undefined => undefined
  const execute = createExecutor({ store, signer, sign, onQueued: nothing, onRotated: nothing })
  const refusals = createRefusals({ audit: store.audit, now, logger })
  const desk = createCommandDesk({
    ...{ site: SITE, device: DEVICE, store, signer, cityKeys: verifiers(cityKey), execute, refusals },
    ...{ now, isClockPlausible, logger },
  })
  let done = 0
  return {
    get done() {
      return done
    },
    async command(cityClock) {
      const commandId = randomUUID()
      const draft: UnsignedCommand = {
        ...{ commandId, site: SITE, deviceId: DEVICE, kind: 'hold', by: 'ada', reason: 'a court' },
        ...{ caseNumber: `${commandId.slice(0, 8)}/26`, subject: { criteria: { camera: 'another' } } },
        issuedAt: new Date(cityClock).toISOString(),
        expiresAt: new Date(cityClock + 7 * DAY).toISOString(),
      }
      await desk.take(commandId, Buffer.from(signCommand(draft, cityKey)))
      const waiting = desk.waiting()
      for (const each of waiting) desk.sent(each)
      const answers = waiting.map(({ envelope }) =>
        verifyAnswer(envelope, { deviceId: DEVICE, deviceKeys: signer.signers }),
      )
      const [answer] = answers
      if (!answer || answers.length > 1) return `${answers.length} answers`
      if (answer.outcome === 'refused') return answer.code
      done++
      return 'done'
    },
  }
}

function freshKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { id: keyIdOf(privateKey), privateKey }
}

function verifiers(key: SigningKey) {
  return new Map([[key.id, createPublicKey(key.privateKey)]])
}
