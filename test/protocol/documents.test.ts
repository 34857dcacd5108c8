import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import t from 'tap'
import { MESSAGES, protocolDocuments } from '../../scripts/protocol-documents.ts'
import type { IncomingMessage } from '../../src/protocol/connection.ts'
import { cityFilters, parseTopic } from '../../src/protocol/topics.ts'
import { storedEvent } from '../../src/receiver/event.ts'
import { signEndorsement } from '../../src/sealing/endorsement.ts'
import { signingKeyFixture } from '../sealing/keys.fixture.ts'
import { tellClientsApartById } from '../support/city.ts'
import { DEVICE, setUpStreet } from '../support/delivery.ts'
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
  for (const { address } of Object.values(MESSAGES)) {
    const uuid = 'bd4e1c0e-8d8b-4c4f-9a7e-0f7f0f0f0f0f'
    const values: Record<string, string> = { prefix: 'roadveil', site: 'a', device: 'b', evidenceId: uuid }
    const topic = address.replace(
      /\{(\w+)\}/g,
      (_, name: string) => values[name] ?? (name === 'index' ? '0' : 'a'.repeat(16)),
    )
    t.ok(parseTopic('roadveil', topic), address)
  }
})

await t.test('what really goes over the broker is as the documents say', async (t) => {
  await using street = await setUpStreet(t.testdir())
  await tellClientsApartById(street)
  const heard: IncomingMessage[] = []
  const keep = (message: IncomingMessage): void => {
    heard.push(message)
  }
  await using ofBoxes = await street.connectAs('city', [...cityFilters('roadveil')], keep)
  await using ofCity = await street.connectAs('box', [`roadveil/v1/+/${DEVICE}/receipt/+`], keep)
  t.notOk(ofBoxes.ended.aborted || ofCity.ended.aborted)
  street.store.audit.record('vault-started', {}, Date.now())
  const next = signingKeyFixture()
  const word = signEndorsement({ device: DEVICE, issuedAt: new Date().toISOString(), next }, street.deviceKey)
  const sealed = await street.commit()
  street.startBox({}, [{ keyId: next.id, envelope: word }])
  street.startCity()
  await until('all kinds were heard', () => new Set(heard.map(({ topic }) => kindOf(topic))).size === 6)
  await until('it is stored', () => street.stored.length === 1)

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
    t.ok(form && payload.length <= form.maxBytes, `${kind}: ${payload.length} bytes`)
    if (!form?.schema) continue
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
  const [stored] = street.stored
  if (!stored) throw new Error('nothing was stored')
  const event = storedEvent(stored)
  fits('stored-event', event)
  // What CloudEvents 1.0 asks for: required attributes that are not empty, names of lower-case letters and digits.
  t.match(event, { specversion: '1.0', id: sealed.evidenceId, source: /^\/./, type: /./ })
  for (const name of Object.keys(event)) t.match(name, /^[a-z0-9]{1,20}$/)
})

function kindOf(topic: string): string {
  return parseTopic('roadveil', topic).kind
}
