import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import t from 'tap'
import { MESSAGES, protocolDocuments } from '../../scripts/protocol-documents.ts'
import { connectBroker, type IncomingMessage } from '../../src/protocol/connection.ts'
import * as topics from '../../src/protocol/topics.ts'
import { storedEvent } from '../../src/receiver/event.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { tellClientsApartById } from '../support/city.ts'
import { NAMES, setUpCommanded } from '../support/commanded.ts'
import { cityOf, HOLD } from '../support/commanding-city.ts'
import { addressOf } from '../support/delivery.ts'
import { until } from '../support/until.ts'

const root = join(import.meta.dirname, '..', '..')
const documents = protocolDocuments()
const parsed = (name: string): object => JSON.parse(documents[name] ?? '') as object

await t.test('the documents in config/protocol are those that the source gives', async (t) => {
  for (const [name, text] of Object.entries(documents)) {
    const file = join(root, 'config', 'protocol', name)
    t.equal(readFileSync(file, 'utf8'), text, `${name}: run npm run config:generate`)
  }
})

await t.test('the AsyncAPI document is one, and all that it refers to is there', async (t) => {
  const schemas = join(root, 'node_modules', '@asyncapi', 'specs', 'schemas')
  const schema = JSON.parse(readFileSync(join(schemas, '3.0.0-without-$id.json'), 'utf8')) as object
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
  const validate = ajv.compile(schema)
  const document = parsed('asyncapi.json')
  t.ok(validate(document), JSON.stringify(validate.errors?.slice(0, 5)))
  t.notOk(validate({ ...document, channels: { status: { address: 5 } } }), 'it refuses what is none')

  const references = [...(documents['asyncapi.json'] ?? '').matchAll(/"\$ref": "#\/([^"]+)"/g)]
  t.ok(references.length > 15)
  for (const [, path = ''] of references) {
    const target = path
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document)
    t.ok(target, path)
  }
})

await t.test('there is a channel for each topic, and none else', async (t) => {
  const names = Object.keys(topics).flatMap((name) => /^(?!parse)(\w+)Topic$/.exec(name)?.[1] ?? [])
  t.ok(names.length > 5, 'the topics are found by the names of their functions')
  t.same(Object.keys(MESSAGES).sort(), names.sort())
  const { channels } = parsed('asyncapi.json') as { channels: Record<string, { address: string }> }
  t.same(Object.keys(channels).sort(), names.sort())
  for (const [name, { address }] of Object.entries(channels)) {
    t.equal(topics.parseTopic('roadveil', topicAt(address)).kind, name)
  }
  const fromBoxes = Object.values(MESSAGES).flatMap(({ from, address }) =>
    from === 'box' ? [address.replace(/^\{prefix\}/, 'roadveil').replaceAll(/\{\w+\}/g, '+')] : [],
  )
  t.same([...topics.cityFilters('roadveil')].sort(), fromBoxes.sort(), 'the city hears all that boxes say')
})

/** A topic that the address of a channel stands for. */
function topicAt(address: string): string {
  const uuid = 'bd4e1c0e-8d8b-4c4f-9a7e-0f7f0f0f0f0f'
  const values: Record<string, string> = {
    ...{ prefix: 'roadveil', site: 'a', device: 'b', index: '0', slot: '0' },
    ...{ evidenceId: uuid, commandId: uuid, keyId: 'a'.repeat(16) },
  }
  return address.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
}

await t.test('what really goes over the broker is as the documents say', async (t) => {
  await using box = await setUpCommanded(t)
  const { broker } = box
  await tellClientsApartById({ trial: broker.trial, broker })
  const heard: IncomingMessage[] = []
  const listen = (clientId: string, files: Trial['box'] | Trial['city'], filters: readonly string[]) =>
    connectBroker(
      {
        address: addressOf(broker.trial.brokerUrl, files),
        ...{ clientId, sessionExpirySeconds: 0, filters: [...filters] },
        onMessage: async (message) => void heard.push(message),
        timeouts: { connectMs: 3000, publishMs: 3000 },
      },
      new AbortController().signal,
    )
  const station = { prefix: 'roadveil', ...NAMES }
  await using ofBoxes = await listen('of-boxes', broker.trial.city, topics.cityFilters('roadveil'))
  await using ofCity = await listen('of-city', broker.trial.box, [
    topics.receiptFilter(station),
    topics.commandFilter(station),
  ])
  const city = await cityOf(box)
  await using receiver = await city.startReceiver()
  t.ok(receiver)
  await box.startVault()
  const evidenceId = await box.deliver()
  await until('it is stored', () => city.stored.length === 1)
  await until('the box has deleted it', async () => (await box.status()).store.tombstones === 1)
  const who = { by: 'ada', reason: 'court order' }
  t.match(await city.send(HOLD), { answer: { outcome: 'done' } })
  t.match(await city.send(HOLD), { answer: { outcome: 'refused' } })
  t.match(await city.send({ kind: 'rotate-key', ...who }), { answer: { outcome: 'done', rotated: {} } })
  for (const kind of ['resend', 'erase'] as const) {
    const { answer } = await city.send({ kind, subject: { evidenceIds: [evidenceId] }, ...who })
    t.match(answer, { outcome: 'done', kind })
  }
  const kinds = (): Set<string> => new Set(heard.map(({ topic }) => kindOf(topic)))
  const silent = () => Object.keys(MESSAGES).filter((kind) => !kinds().has(kind as topics.Topic['kind']))
  await until('all kinds were heard', () => silent().length === 0, { withinMs: 30_000 }).catch(
    () => undefined,
  )
  t.same(silent(), [], 'of these nothing was heard')
  t.notOk(ofBoxes.ended.aborted || ofCity.ended.aborted)

  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  ajv.addFormat('base64', /^(?:[\w+/-]{4})*(?:[\w+/-]{2}==|[\w+/-]{3}=)?$/)
  const document = parsed('asyncapi.json') as {
    components: {
      messages: Record<string, { payload: { properties?: { payloadType?: { const: string } } } }>
    }
  }
  const validators = new Map(
    [...Object.keys(MESSAGES), 'envelope', 'stored-event']
      .filter((name) => `${name}.schema.json` in documents)
      .map((name) => [name, ajv.compile(parsed(`${name}.schema.json`))]),
  )
  const fits = (name: string, value: unknown): void => {
    const validate = validators.get(name)
    t.ok(validate?.(value), `${name}: ${JSON.stringify(validate?.errors)}`)
    if (typeof value !== 'object') return
    t.notOk(validate?.({ ...value, surprise: 1 }), `${name} with something else in it is none`)
  }
  for (const { topic, payload } of heard) {
    const kind = kindOf(topic)
    const form = MESSAGES[kind]
    t.ok(payload.length <= form.maxBytes, `${kind}: ${payload.length} bytes`)
    if (!form.schema) continue
    const message: unknown = JSON.parse(payload.toString())
    if (form.payloadType === undefined) {
      fits(kind, message)
      continue
    }
    fits('envelope', message)
    const envelope = message as { payloadType: string; payload: string }
    t.equal(envelope.payloadType, document.components.messages[kind]?.payload.properties?.payloadType?.const)
    fits(kind, JSON.parse(Buffer.from(envelope.payload, 'base64').toString()))
  }
  const [stored] = city.stored
  if (!stored) throw new Error('nothing was stored')
  const event = storedEvent(stored)
  fits('stored-event', event)
  // What CloudEvents 1.0 asks for: required attributes that are not empty, names of lower-case letters and digits.
  t.match(event, { specversion: '1.0', id: evidenceId, source: /^\/./, type: /./ })
  for (const name of Object.keys(event)) t.match(name, /^[a-z0-9]{1,20}$/)
})

function kindOf(topic: string): topics.Topic['kind'] {
  return topics.parseTopic('roadveil', topic).kind
}
