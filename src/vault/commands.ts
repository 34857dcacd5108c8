import type { CommandDesk } from '../delivery/commands.ts'
import type { EpochMs } from '../domain/frame.ts'
import { iso } from '../domain/frame.ts'
import { type ErrorCode, isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_COMMAND_BYTES } from '../protocol/limits.ts'
import { isUuid } from '../protocol/topics.ts'
import type { IsClockPlausible } from '../retention/clock.ts'
import { signAnswer, type UnsignedAnswer } from '../sealing/answer.ts'
import { checkCommandTime, type Command, verifyCommand } from '../sealing/command.ts'
import type { VerifyKeys } from '../sealing/keys.ts'
import { sha256Hex } from '../sealing/seal.ts'
import { type CommandKey, type StoredAnswer, timesOf } from '../store/command.ts'
import type { Store } from '../store/open.ts'
import { type Done, type Executor, type Happened } from './execution.ts'
import type { Refusals } from './refusals.ts'
import type { Signer } from './signer.ts'

/** Failures that belong to what was commanded: the same command would fail again, and is answered the same. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'ERR_EVIDENCE_UNKNOWN',
  'ERR_HOLD_EXISTS',
  'ERR_HOLD_UNKNOWN',
  'ERR_HOLD_CASE',
  'ERR_SUBJECT_SCOPE',
  'ERR_KEY_CREDENTIAL',
  'ERR_SECRET_FILE',
])

/** Answers to commands that nobody remembers, which wait for the broker. */
const MAX_PASSING = 32
const MAX_UNSENT = 16

/** What the vault has done for the city, for status. */
export interface CommandCounts {
  /** Since the start. */
  readonly done: number
  readonly refused: number
}

/**
 * Creates the desk that takes the city's commands: each is verified, done once, recorded and answered. A command that was taken is
 * remembered until it has expired: the same bytes are answered the same again, other bytes under its id are refused.
 */
export function createCommandDesk(deps: {
  readonly site: string
  readonly device: string
  readonly store: Pick<Store, 'audit' | 'commands'>
  readonly cityKeys: VerifyKeys
  readonly signer: Pick<Signer, 'signingKey'>
  readonly execute: Executor
  readonly refusals: Refusals
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly isClockPlausible: IsClockPlausible
  readonly logger: Logger
}): CommandDesk & {
  /** To be called at the start: where the store has lost commands, says by the clock from when on they are taken, if nothing else does. */
  settleLoss(): Promise<void>
  counts(): CommandCounts
} {
  const { site, device, store, signer, refusals, now, logger } = deps
  const { commands, audit } = store
  /** Refusals that only the moment is to blame for, by what they answer. */
  const passing = new Map<string, StoredAnswer>()
  /** Commands that came again: the broker gets their answers once more. */
  const repeated = new Set<string>()
  let done = 0
  let refusedForGood = 0

  const verified = (topicId: string, payload: Uint8Array): Command => {
    if (payload.length > MAX_COMMAND_BYTES) {
      throw new RoadveilError('ERR_MESSAGE', `a command has ${payload.length} bytes`)
    }
    const command = verifyCommand(payload, deps.cityKeys, { site, deviceId: device })
    if (command.commandId !== topicId) {
      throw new RoadveilError('ERR_COMMAND_INVALID', 'a command came under a topic that it is not about')
    }
    return command
  }

  /** A command is done by the clock; one that cannot be right would bring back what has expired. */
  const checkTime = (command: Command, { issuedAt, expiresAt }: CommandKey, moment: Moment): void => {
    const { at, clockPlausible } = moment
    if (!clockPlausible) {
      throw new RoadveilError('ERR_CLOCK_WRONG', 'the clock is behind what was recorded: no command is taken')
    }
    checkCommandTime(command, at)
    if (commands.isForgotten(expiresAt)) {
      throw new RoadveilError('ERR_COMMAND_EXPIRED', 'the command may have been done and forgotten')
    }
    commands.settleLoss(at)
    if (commands.isLost(issuedAt)) {
      throw new RoadveilError(
        'ERR_COMMAND_FORGOTTEN',
        'the command may have been taken before the store was damaged',
      )
    }
  }

  const answerOf = (
    of: Pick<CommandKey, 'commandId' | 'sha256'>,
    outcome: Outcome,
    at: EpochMs,
    key = signer.signingKey,
  ): Uint8Array => {
    const about = { site, device, commandId: of.commandId, commandSha256: of.sha256, answeredAt: iso(at) }
    return signAnswer({ ...about, ...outcome }, key)
  }

  const doOnce = (command: Command, of: CommandKey, moment: Moment): void => {
    const { at } = moment
    const { kind, commandId, keyId, by, reason } = command
    const key = signer.signingKey
    const finish = ({ changed, gone = [], rotated }: Happened): Uint8Array => {
      const about = { commandId, sha256: of.sha256, command: kind, keyId, by, reason, ...timesOf(of) }
      audit.append('command-executed', { ...about, ...changed }, at)
      const found = { ...(gone.length > 0 && { gone }), ...(rotated && { rotated }) }
      // With the key that the city knows for sure, also where it was just changed.
      return answerOf(of, { outcome: 'done', kind, changed, ...found }, at, key)
    }
    const record: Done = {
      ...moment,
      begin: () => {
        const before = commands.find(commandId)?.keyIdBefore
        if (before !== null && before !== undefined) return before
        commands.begin(of, key.id, at)
        return key.id
      },
      keep: (happened) => commands.keep(of, finish(happened)),
      conclude: (work) => commands.conclude(of, () => finish(work()), at),
    }
    try {
      deps.execute(command, record)
      done += 1
      logger.info('a command of the city was done', { commandId, verb: kind, keyId })
    } catch (error) {
      if (!isRoadveilError(error) || !FINAL.has(error.code)) throw error
      const { code } = error
      commands.conclude(
        of,
        () => {
          const about = { commandId, sha256: of.sha256, code, command: kind, keyId, by, reason }
          audit.append('command-refused', { ...about, ...timesOf(of) }, at)
          return answerOf(of, { outcome: 'refused', code }, at)
        },
        at,
      )
      refusedForGood += 1
      logger.warn('a command of the city cannot be done', { commandId, verb: kind, error })
    }
  }

  const refuse = (of: Pick<CommandKey, 'commandId' | 'sha256'>, error: RoadveilError, at: EpochMs): void => {
    const { commandId, sha256 } = of
    if (!refusals.add({ commandId, code: error.code, sha256 })) return
    logger.warn('a command was refused', { commandId, error })
    if (!isUuid(commandId) || passing.size >= MAX_PASSING) return
    const envelope = answerOf(of, { outcome: 'refused', code: error.code }, at)
    passing.set(`${commandId} ${sha256}`, { commandId, envelope })
  }

  return {
    async take(topicId, payload) {
      const at = now()
      const sha256 = sha256Hex(payload)
      try {
        // Before anything else: from here on nothing comes in between.
        const moment = { at, clockPlausible: await deps.isClockPlausible(at) }
        const command = verified(topicId, payload)
        const { commandId } = command
        const [issuedAt, expiresAt] = [Date.parse(command.issuedAt), Date.parse(command.expiresAt)]
        const of = { commandId, sha256, issuedAt, expiresAt }
        const known = commands.find(commandId)
        if (known && known.sha256 !== sha256) {
          throw new RoadveilError('ERR_COMMAND_REUSED', 'another command had this id before')
        }
        // Damage took the answer, not what the command came to.
        const isSpent = known?.outcome !== null && known?.outcome !== undefined
        if (isSpent && !known.answer)
          commands.renew(of, answerOf(of, JSON.parse(known.outcome) as Outcome, at))
        if (isSpent || known?.answer) {
          repeated.add(commandId)
          return
        }
        // What had begun is brought to its end, however long it took until it came again.
        if (!known) checkTime(command, of, moment)
        doOnce(command, of, moment)
      } catch (error) {
        const coded = isRoadveilError(error)
          ? error
          : new RoadveilError('ERR_INTERNAL', 'a command failed unexpectedly', { cause: error })
        if (coded !== error) logger.error('a command failed unexpectedly', { error })
        refuse({ commandId: isUuid(topicId) ? topicId : 'none', sha256 }, coded, at)
      }
    },

    waiting() {
      const again = [...repeated].flatMap((commandId) => commands.answer(commandId) ?? [])
      const answers = new Map(
        [...again, ...commands.unsent(MAX_UNSENT)].map((each) => [each.commandId, each]),
      )
      return [...answers.values(), ...passing.values()]
    },

    sent(answer) {
      const refused = [...passing].find(([, each]) => each === answer)
      if (refused) {
        passing.delete(refused[0])
        return
      }
      repeated.delete(answer.commandId)
      commands.markSent(answer.commandId)
    },

    async settleLoss() {
      try {
        const at = now()
        if (await deps.isClockPlausible(at)) commands.settleLoss(at)
      } catch (error) {
        // The next command tries it again, and is refused if it fails then.
        logger.error('it could not be noted until when commands may have been lost', { error })
      }
    },

    counts: () => ({ done, refused: refusedForGood + refusals.count() }),
  }
}

/** What the clock showed, and whether it can be right. */
type Moment = Pick<Done, 'at' | 'clockPlausible'>

type Outcome<A = UnsignedAnswer> = A extends UnsignedAnswer
  ? Omit<A, 'site' | 'device' | 'commandId' | 'commandSha256' | 'answeredAt'>
  : never
