import { randomUUID } from 'node:crypto'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { connectBroker, DEFAULT_CONNECTION_TIMEOUTS, type IncomingMessage } from '../protocol/connection.ts'
import { keepConnected } from '../protocol/reconnect.ts'
import { answerTopic, commandTopic, endorsementFilter, parseTopic } from '../protocol/topics.ts'
import type { Answer } from '../sealing/answer.ts'
import { signCommand, type UnsignedCommand } from '../sealing/command.ts'
import { loadSigningKey } from '../sealing/keys.ts'
import { brokerAddress } from './broker-address.ts'
import { type Box, createCommandFiles } from './commands.ts'
import type { ReceiverConfig } from './config.ts'
import { deviceKeysIn } from './devices.ts'
import { createEndorsedKeys } from './endorsed-keys.ts'
import { folderEndorsements } from './folder/endorsements.ts'

type What<C> = C extends UnsignedCommand
  ? Omit<C, 'commandId' | 'site' | 'deviceId' | 'issuedAt' | 'expiresAt'>
  : never
/** What a box is to do. */
export type Order = What<UnsignedCommand>

export interface Commanded {
  readonly commandId: string
  readonly answer: Answer
  /** Why the answer is not in the city's files, where it could not be kept: the receiver asks the box again for one. */
  readonly unkept: RoadveilError | undefined
}

const DAY_MS = 86_400_000
const RECONNECT = { firstMs: 300, mostMs: 3000 }

/**
 * Signs a command, keeps it, sends it to a box and waits for the answer, over as many connections as it takes: a box does the same
 * command only once.
 *
 * @throws RoadveilError ERR_COMMAND_KEYLESS, ERR_SECRET_FILE and ERR_KEY_INVALID for the command key, ERR_DEVICE_UNKNOWN,
 *   ERR_COMMAND_INVALID, ERR_OUTPUT_FAILED for the command, and ERR_ANSWER_MISSING when nothing came in time.
 */
export async function sendCommand(
  config: ReceiverConfig,
  { box, order, validDays, timeoutMs }: SendOptions,
  { logger, now, env, signal }: SendDeps,
): Promise<Commanded> {
  const { commands } = config
  if (!commands)
    throw new RoadveilError('ERR_COMMAND_KEYLESS', 'the config names no key to sign commands with')
  const key = loadSigningKey({ name: 'command-key', file: commands.commandKeyFile, env })
  const endorsed = createEndorsedKeys(
    // The broker keeps endorsements: what a shared database has of them comes here, too.
    folderEndorsements(config.stateDirectory),
    deviceKeysIn(config.devicesDirectory),
    logger,
  )
  const { deviceKeys } = endorsed
  // Before anything is sent to a box whose answer could not be believed.
  await deviceKeys(box.device)
  const commandId = randomUUID()
  const issuedAt = now()
  const expiresAt = new Date(issuedAt + validDays * DAY_MS).toISOString()
  const { site, device: deviceId } = box
  const about = { commandId, site, deviceId, issuedAt: new Date(issuedAt).toISOString(), expiresAt }
  const envelope = Buffer.from(signCommand({ ...about, ...order }, key))
  const files = createCommandFiles(config.stateDirectory, { deviceKeys, logger, now })
  await files.keep(box, commandId, envelope)

  const prefix = config.broker.topicPrefix
  const station = { prefix, ...box }
  const answered = Promise.withResolvers<Omit<Commanded, 'commandId'>>()
  const finished = new AbortController()
  const until = AbortSignal.any([signal, finished.signal, AbortSignal.timeout(timeoutMs)])
  const take = async ({ topic, payload }: IncomingMessage): Promise<void> => {
    try {
      const parsed = parseTopic(prefix, topic)
      if (parsed.kind === 'endorsement') await endorsed.take(parsed, payload)
      if (parsed.kind !== 'answer') return
      const answer = await files.readAnswer(parsed, payload, envelope)
      // The box has spoken: whoever commands hears of it, also where it cannot be kept.
      answered.resolve({ answer, unkept: await unkeptBy(files.keepAnswer(parsed, payload, answer)) })
    } catch (error) {
      // Forged, about something else, or of a key that is still to be endorsed: what counts may come yet.
      logger.warn('a message was not taken', { error })
    }
  }
  const serve = async (connected: () => void): Promise<void> => {
    await using connection = await connectBroker(
      {
        address: brokerAddress(config.broker, commands),
        clientId: 'commander',
        sessionExpirySeconds: 0,
        filters: [answerTopic(station, commandId), endorsementFilter(station)],
        onMessage: take,
        timeouts: DEFAULT_CONNECTION_TIMEOUTS,
      },
      until,
    )
    connected()
    await connection.publish(commandTopic(station, commandId), envelope, {
      expirySeconds: validDays * (DAY_MS / 1000),
    })
    const ended = AbortSignal.any([until, connection.ended])
    await new Promise<void>((resolve) => {
      if (ended.aborted) resolve()
      ended.addEventListener('abort', () => resolve(), { once: true })
    })
    if (!until.aborted) throw connection.ended.reason
  }

  let lastError: RoadveilError | undefined
  const sending = keepConnected(serve, (error) => (lastError = error), RECONNECT, until)
  const missing = sending.then(() => undefined)
  const settled = await Promise.race([answered.promise, missing])
  finished.abort()
  await sending.catch((error: unknown) => {
    if (!isRoadveilError(error)) throw error
  })
  if (settled) return { commandId, ...settled }
  const why = lastError ? `; ${lastError.message}` : ''
  throw new RoadveilError(
    'ERR_ANSWER_MISSING',
    `${box.device} has not answered command ${commandId} in time${why}`,
  )
}

async function unkeptBy(keeping: Promise<void>): Promise<RoadveilError | undefined> {
  try {
    await keeping
    return undefined
  } catch (error) {
    if (!isRoadveilError(error)) throw error
    return error
  }
}

interface SendOptions {
  readonly box: Box
  readonly order: Order
  /** From 1 to 30. */
  readonly validDays: number
  readonly timeoutMs: number
}

interface SendDeps {
  readonly logger: Logger
  readonly now: () => number
  /** Where systemd credentials are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}
