import type { Logger } from '../log.ts'
import type { BrokerConnection, IncomingMessage } from '../protocol/connection.ts'
import { ANSWER_EXPIRY_SECONDS } from '../protocol/limits.ts'
import { answerTopic, commandTopic, type Station } from '../protocol/topics.ts'
import { sendBeside } from './beside.ts'
import type { DeliveryTiming } from './timing.ts'

/** A signed answer to a command. */
export interface WaitingAnswer {
  readonly commandId: string
  readonly envelope: Uint8Array
}

/** Takes commands of the city, and has the answers. */
export interface CommandDesk {
  /**
   * Deals with a message that came as the command of this id. What it did is on the disk when it resolves, with the answer; only then
   * does the broker forget the message. Never fails: what is not taken is refused.
   */
  take(commandId: string, payload: Uint8Array): Promise<void>
  /** Answers that the broker does not have. */
  waiting(): readonly WaitingAnswer[]
  /** The broker has this one. */
  sent(answer: WaitingAnswer): void
}

/** Brings commands to the desk and its answers to the city, over one connection after the other. */
export interface CommandPost {
  /** Hands a message to the desk if it came as a command for this device. Gives false for anything else. */
  take(message: IncomingMessage): Promise<boolean>
  /** Sends answers until the signal is aborted. A broker that refuses them does not hold up evidence. */
  run(connection: BrokerConnection, signal: AbortSignal): Promise<void>
}

export function createCommandPost(deps: {
  readonly desk: CommandDesk
  readonly station: Station
  readonly timing: DeliveryTiming
  readonly logger: Logger
}): CommandPost {
  const { desk, station, timing, logger } = deps
  const commands = commandTopic(station, '')
  let waking = new AbortController()

  const sendAll = async (connection: BrokerConnection): Promise<void> => {
    for (const answer of desk.waiting()) {
      const options = { expirySeconds: ANSWER_EXPIRY_SECONDS }
      const topic = answerTopic(station, answer.commandId)
      await connection.publish(topic, Buffer.from(answer.envelope), options)
      desk.sent(answer)
    }
  }

  return {
    async take({ topic, payload }) {
      if (!topic.startsWith(commands)) return false
      await desk.take(topic.slice(commands.length), payload)
      waking.abort()
      return true
    },
    run(connection, signal) {
      const wakes = (): AbortSignal => (waking = new AbortController()).signal
      const send = async (): Promise<boolean> => {
        await sendAll(connection)
        return false
      }
      const refused = 'the city gets no answer to a command'
      return sendBeside(connection, { send, refused, wakes, timing, logger }, signal)
    },
  }
}
