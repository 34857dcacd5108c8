import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectBroker, DEFAULT_CONNECTION_TIMEOUTS } from '../../../src/protocol/connection.ts'
import { chunkTopic, manifestTopic } from '../../../src/protocol/topics.ts'
import type { SealedEvidence } from '../../../src/sealing/seal.ts'
import { NAMES, type Town } from './town.ts'

/** The same evidence sent by others than the box, over the same link: what the box is compared with. */

const STATION = { prefix: 'roadveil', ...NAMES }

interface Message {
  readonly topic: string
  readonly payload: Uint8Array
}

function messagesOf({ evidenceId, manifest, chunks }: SealedEvidence): Message[] {
  return [
    { topic: manifestTopic(STATION, evidenceId), payload: manifest },
    ...chunks.map((payload, index) => ({ topic: chunkTopic(STATION, evidenceId, index), payload })),
  ]
}

/** One mosquitto_pub after the other: a process takes one topic, and the box's name is one client's. */
export async function sendByMosquittoPub(
  all: readonly SealedEvidence[],
  { broker }: Town,
  directory: string,
): Promise<void> {
  const { box } = broker.trial
  const tls = ['--cafile', box.ca, '--cert', box.certificate, '--key', box.key, '--tls-version', 'tlsv1.3']
  const link = ['-h', '127.0.0.1', '-p', String(broker.port), '-V', 'mqttv5', '-q', '1', '--nodelay']
  const file = join(directory, 'message')
  mkdirSync(directory, { recursive: true })
  for (const { topic, payload } of all.flatMap(messagesOf)) {
    writeFileSync(file, payload)
    const child = spawn('mosquitto_pub', [...link, ...tls, '-t', topic, '-f', file], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error('mosquitto_pub failed')
  }
}

/** Evidence ahead of what the city has stored: the broker drops what its queue has no room for. */
const MOST_AHEAD = 100

/** One connection that waits for no receipts, but acknowledgements: as fast as the city can take it. */
export async function sendByBareClient(
  all: readonly SealedEvidence[],
  { address }: Town,
  stored: () => number,
): Promise<void> {
  const options = {
    ...{ address, clientId: NAMES.device, sessionExpirySeconds: 0, filters: [] },
    ...{ onMessage: async () => undefined, timeouts: DEFAULT_CONNECTION_TIMEOUTS },
  }
  await using connection = await connectBroker(options, new AbortController().signal)
  const storedBefore = stored()
  const evidence = all.entries()
  const send = async (): Promise<void> => {
    for (const [index, each] of evidence) {
      while (index > stored() - storedBefore + MOST_AHEAD) await sleep(5)
      for (const { topic, payload } of messagesOf(each)) await connection.publish(topic, Buffer.from(payload))
    }
  }
  await Promise.all(Array.from({ length: 4 }, send))
}
