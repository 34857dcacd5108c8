import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  type BrokerAddress,
  type BrokerConnection,
  connectBroker,
  type ConnectionOptions,
  DEFAULT_CONNECTION_TIMEOUTS,
  type IncomingMessage,
} from '../../src/protocol/connection.ts'
import { chunkTopic, receiptTopic, statusTopic } from '../../src/protocol/topics.ts'
import { createAuthority } from '../../src/trial/pki.ts'
import { startMosquitto, type TestBroker } from '../support/mosquitto.ts'
import { freePort } from '../../scripts/demo/free-port.ts'

const never = new AbortController().signal
const station = { prefix: 'roadveil', site: 'hill-street', device: 'box-1' }
const id = '0b0c9c5e-7a68-4a4c-9d11-2f6f1f0e5a11'

interface Files {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

function address(url: string, files: Files): BrokerAddress {
  const read = (file: string): string => readFileSync(file, 'utf8')
  return { url, ca: read(files.ca), certificate: read(files.certificate), key: read(files.key) }
}

function connectTo(to: BrokerAddress, more: Partial<ConnectionOptions> = {}): Promise<BrokerConnection> {
  const timeouts = { ...DEFAULT_CONNECTION_TIMEOUTS, connectMs: 3000 }
  const onMessage = async (): Promise<void> => undefined
  return connectBroker(
    { address: to, clientId: 'box-1', sessionExpirySeconds: 60, filters: [], onMessage, timeouts, ...more },
    never,
  )
}

const boxOf = ({ trial }: TestBroker): BrokerAddress => address(trial.brokerUrl, trial.box)
const cityOf = ({ trial }: TestBroker): BrokerAddress => address(trial.brokerUrl, trial.city)

await t.test('a device may write below its own name only, and hears so', async (t) => {
  await using broker = await startMosquitto(t.testdir())
  await using box = await connectTo(boxOf(broker))
  await box.publish(statusTopic(station), Buffer.from('x'))
  await box.publish(chunkTopic(station, id, 0), Buffer.from('x'))
  const other = { ...station, device: 'box-2' }
  for (const topic of [
    statusTopic(other),
    chunkTopic(other, id, 0),
    receiptTopic(station, id),
    'roadveil/v1/x',
    'else',
  ]) {
    await t.rejects(box.publish(topic, Buffer.from('x')), { code: 'ERR_PUBLISH_REFUSED' }, topic)
  }
})

await t.test('a certificate of another authority, or none, is refused on either side', async (t) => {
  const directory = t.testdir()
  await using broker = await startMosquitto(join(directory, 'a'))
  const box = boxOf(broker)
  const stranger = await createAuthority(new Date())
  const forged = await stranger.client('box-1')
  await t.rejects(connectTo({ ...box, ...forged }), { code: 'ERR_BROKER_REFUSED' })
  await t.rejects(connectTo({ ...box, ca: stranger.certificate }), { code: 'ERR_BROKER_TLS' })
  await t.rejects(connectTo({ ...box, key: 'no key' }), { code: 'ERR_BROKER_TLS' })
  const url = `mqtts://127.0.0.2:${broker.port}`
  await t.rejects(connectTo({ ...box, url }), { code: 'ERR_BROKER_UNREACHABLE' })
  const nobody = `mqtts://127.0.0.1:${await freePort()}`
  await t.rejects(connectTo({ ...box, url: nobody }), { code: 'ERR_BROKER_UNREACHABLE' })
})

await t.test('a broker whose certificate names another host is not believed', async (t) => {
  await using broker = await startMosquitto(t.testdir(), { hosts: ['localhost'] })
  const url = `mqtts://127.0.0.1:${broker.port}`
  await t.rejects(connectTo({ ...boxOf(broker), url }), { code: 'ERR_BROKER_TLS' })
})

await t.test('what is too large for the broker is not sent, and what follows goes through', async (t) => {
  await using broker = await startMosquitto(t.testdir())
  await using box = await connectTo(boxOf(broker))
  const topic = chunkTopic(station, id, 0)
  await t.rejects(box.publish(topic, Buffer.alloc(128 * 1024)), { code: 'ERR_MESSAGE_TOO_LARGE' })
  await box.publish(topic, Buffer.alloc(96 * 1024))
})

await t.test('the next message comes only when the last one was dealt with', async (t) => {
  await using broker = await startMosquitto(t.testdir())
  const gate = Promise.withResolvers<undefined>()
  const seen: IncomingMessage[] = []
  const done = Promise.withResolvers<undefined>()
  await using city = await connectTo(cityOf(broker), {
    clientId: 'receiver',
    filters: ['roadveil/v1/+/+/evidence/+/chunk/+'],
    onMessage: async (message) => {
      seen.push(message)
      if (seen.length === 1) await gate.promise
      if (seen.length === 6) done.resolve(undefined)
    },
  })
  await using box = await connectTo(boxOf(broker))
  for (let index = 0; index < 6; index++) {
    await box.publish(chunkTopic(station, id, index), Buffer.from(String(index)))
  }
  t.equal(seen.length, 1)
  gate.resolve(undefined)
  await done.promise
  t.strictSame(
    seen.map(({ payload }) => payload.toString()),
    ['0', '1', '2', '3', '4', '5'],
  )
  t.notOk(city.ended.aborted)
})

await t.test('the will is published on a goodbye, too', async (t) => {
  await using broker = await startMosquitto(t.testdir())
  const heard: string[] = []
  const wake = Promise.withResolvers<undefined>()
  await using city = await connectTo(cityOf(broker), {
    clientId: 'receiver',
    filters: ['roadveil/v1/+/+/status'],
    onMessage: async ({ payload }) => {
      heard.push(payload.toString())
      wake.resolve(undefined)
    },
  })
  const will = { topic: statusTopic(station), payload: Buffer.from('offline') }
  const box = await connectTo(boxOf(broker), { will })
  await box[Symbol.asyncDispose]()
  await wake.promise
  t.strictSame(heard, ['offline'])
  t.notOk(city.ended.aborted)
})

await t.test('a broker that dies ends the connection and everything under way', async (t) => {
  await using broker = await startMosquitto(t.testdir())
  await using box = await connectTo(boxOf(broker))
  const sent = Array.from({ length: 20 }, (_, index) =>
    box.publish(chunkTopic(station, id, index), Buffer.alloc(96 * 1024)),
  )
  const results = Promise.allSettled(sent)
  await broker.kill()
  for (const result of await results) {
    if (result.status === 'rejected') t.match(result.reason, { code: 'ERR_BROKER_LOST' })
  }
  t.ok(box.ended.aborted)
  await t.rejects(box.publish(statusTopic(station), Buffer.from('x')), { code: 'ERR_BROKER_LOST' })
})
