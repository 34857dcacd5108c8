import { setTimeout as sleep } from 'node:timers/promises'
import { RoadveilError } from '../../src/errors.ts'
import type { BrokerConnection, ConnectBroker, ConnectionOptions } from '../../src/protocol/connection.ts'
import { tellHandled } from '../support/handled.ts'
import type { Dice } from './dice.ts'

/** A broker in memory that does everything a broker must not do, until it is healed. */
export interface HostileBroker {
  readonly connect: ConnectBroker
  /** From now on it is honest. What it held back comes now, in any order, or never. */
  heal(): void
  /** From now on it lies again. */
  turn(): void
}

interface Message {
  readonly topic: string
  readonly payload: Buffer
}

interface Client {
  readonly options: ConnectionOptions
  readonly ending: AbortController
  /** The next message waits for this one to be dealt with. */
  handling: Promise<void>
}

/** How often it lies about a message. */
const SHARE = 0.35
const KEPT_FOR_REPLAY = 40

/**
 * Creates it, hostile.
 *
 * @param invent makes messages that nobody sent out of one that somebody did, such as forged receipts.
 */
export function createHostileBroker(
  dice: Dice,
  { invent, delayMs }: { readonly invent: (seen: Message) => readonly Message[]; readonly delayMs: number },
): HostileBroker {
  const clients = new Map<string, Client>()
  /** For clients that were here and are away. */
  const waiting = new Map<string, Message[]>()
  const filters = new Map<string, readonly RegExp[]>()
  const seen: Message[] = []
  let held: Message[] = []
  let isHostile = true

  const isFor = (clientId: string, { topic }: Message): boolean =>
    (filters.get(clientId) ?? []).some((filter) => filter.test(topic))

  const deliver = (message: Message): void => {
    for (const clientId of filters.keys()) {
      if (!isFor(clientId, message)) continue
      const client = clients.get(clientId)
      if (client) hand(client, message)
      else waiting.get(clientId)?.push(message)
    }
  }

  const hand = (client: Client, message: Message): void => {
    client.handling = client.handling.then(async () => {
      if (!client.ending.signal.aborted) await client.options.onMessage(message)
    })
  }

  const cut = (client: Client, why: string): void => {
    if (!client.ending.signal.aborted) client.ending.abort(new RoadveilError('ERR_BROKER_LOST', why))
    if (clients.get(client.options.clientId) === client) clients.delete(client.options.clientId)
  }

  const kill = (): void => {
    for (const client of clients.values()) cut(client, 'the broker was killed')
    waiting.clear()
    held = []
  }

  /** What happens to a message of a client; returns or throws when it is acknowledged or refused. */
  const lie = async (client: Client, message: Message): Promise<void> => {
    const other = dice.pick([message, ...seen])
    switch (dice.between(0, 12)) {
      case 0: // Acknowledged and dropped.
        return
      case 1: // Never acknowledged, delivered or not.
        if (dice.chance(0.5)) deliver(message)
        await sleep(client.options.timeouts.publishMs, undefined, { signal: client.ending.signal }).catch(
          () => undefined,
        )
        cut(client, 'a message had no answer')
        throw new RoadveilError('ERR_PUBLISH_TIMEOUT', 'the broker did not answer')
      case 2:
        throw new RoadveilError('ERR_PUBLISH_REFUSED', 'the broker refused a message with reason 151')
      case 3: // Delivered, but the sender does not hear of it.
        deliver(message)
        {
          cut(client, 'the connection was reset')
          return
        }
      case 4:
        if (dice.chance(0.5)) deliver(message)
        {
          kill()
          return
        }
      case 5: // Redelivered.
        deliver(message)
        {
          deliver(message)
          return
        }
      case 6: // Held back: others overtake it.
        held.push(message)
        return
      case 7: // The answers come before the acknowledgement.
        deliver(message)
        return sleep(dice.between(1, delayMs))
      case 8: // Replayed.
        deliver(message)
        {
          deliver(other)
          return
        }
      case 9: {
        // An older one in its place.
        deliver(other)
        return
      }
      case 10: // Under another's topic.
        deliver({ topic: other.topic, payload: message.payload })
        {
          deliver(message)
          return
        }
      case 11: {
        const payload = Buffer.from(message.payload)
        const at = dice.between(0, payload.length - 1)
        payload[at] = (payload[at] ?? 0) ^ (1 << dice.between(0, 7))
        deliver({ topic: message.topic, payload })
        return
      }
      default: // Forged.
        for (const forged of invent(message)) deliver(forged)
        {
          deliver(message)
          return
        }
    }
  }

  const publish = async (client: Client, message: Message): Promise<void> => {
    client.ending.signal.throwIfAborted()
    for (const text of [message.topic, message.payload])
      tellHandled({ kind: 'text', where: 'what went over the broker', text })
    seen.push(message)
    if (seen.length > KEPT_FOR_REPLAY) seen.shift()
    // As over a network: whoever publishes is never answered in the same breath.
    await sleep(0)
    if (isHostile && held.length > 0 && dice.chance(0.3))
      deliver(held.splice(dice.between(0, held.length - 1), 1)[0] ?? message)
    if (isHostile && dice.chance(SHARE)) await lie(client, message)
    else deliver(message)
    client.ending.signal.throwIfAborted()
  }

  return {
    async connect(options, signal) {
      await sleep(0)
      signal.throwIfAborted()
      if (isHostile && dice.chance(0.2))
        throw new RoadveilError('ERR_BROKER_UNREACHABLE', 'the broker is away')
      const { clientId } = options
      const before = clients.get(clientId)
      if (before) cut(before, 'the session was taken over')
      const client: Client = { options, ending: new AbortController(), handling: Promise.resolve() }
      clients.set(clientId, client)
      filters.set(clientId, options.filters.map(patternOf))
      for (const message of waiting.get(clientId) ?? []) hand(client, message)
      waiting.set(clientId, [])
      const connection: BrokerConnection = {
        publish: (topic, payload) => publish(client, { topic, payload: Buffer.from(payload) }),
        checkSize: () => undefined,
        ended: client.ending.signal,
        async [Symbol.asyncDispose]() {
          cut(client, 'the connection was closed on this side')
          await client.handling
        },
      }
      return connection
    },
    heal() {
      isHostile = false
      for (const message of held.splice(0)) if (dice.chance(0.5)) deliver(message)
    },
    turn() {
      isHostile = true
    },
  }
}

function patternOf(filter: string): RegExp {
  return new RegExp(`^${filter.replaceAll('+', '[^/]+')}$`)
}
