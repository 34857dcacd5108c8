import { z } from 'zod'
import {
  ANSWER_EXPIRY_SECONDS,
  CERTIFICATE_SLOTS,
  MAX_ANSWER_BYTES,
  MAX_CERTIFICATE_BYTES,
  MAX_CHECKPOINT_BYTES,
  MAX_CHUNK_BYTES,
  MAX_COMMAND_BYTES,
  MAX_COMMAND_DAYS,
  MAX_ENDORSEMENT_BYTES,
  MAX_MANIFEST_BYTES,
  MAX_RECEIPT_BYTES,
  MAX_STATUS_BYTES,
  MESSAGE_EXPIRY_SECONDS,
} from '../src/protocol/limits.ts'
import { statusSchema } from '../src/protocol/status.ts'
import {
  answerTopic,
  certificateTopic,
  checkpointTopic,
  chunkTopic,
  commandTopic,
  endorsementTopic,
  manifestTopic,
  receiptTopic,
  type Station,
  statusTopic,
  type Topic,
} from '../src/protocol/topics.ts'
import { storedEventSchema } from '../src/receiver/event.ts'
import { ANSWER_TYPE, answerSchema } from '../src/sealing/answer.ts'
import { CHECKPOINT_TYPE, signedCheckpointSchema } from '../src/sealing/checkpoint.ts'
import { COMMAND_TYPE, commandSchema } from '../src/sealing/command.ts'
import { envelopeSchema } from '../src/sealing/dsse.ts'
import { ENDORSEMENT_TYPE, endorsementSchema } from '../src/sealing/endorsement.ts'
import { MANIFEST_TYPE, manifestSchema } from '../src/sealing/manifest.ts'
import { CERTIFICATE_TYPE, signedCertificateSchema } from '../src/sealing/purge-certificate.ts'
import { RECEIPT_TYPE, receiptSchema } from '../src/sealing/receipt.ts'
import { VERSION } from '../src/version.ts'

/** A message of the protocol: where it goes, who sends it, and what it is. */
interface MessageForm {
  readonly address: string
  readonly from: 'box' | 'city'
  readonly summary: string
  readonly maxBytes: number
  readonly retain: boolean
  /** Seconds that the broker may keep it; at most, where the message itself says how long. */
  readonly expirySeconds?: number | { readonly most: number }
  /** Of what is in the envelope, or of the message itself where nothing signs it; none for bytes. */
  readonly schema?: z.ZodType
  /** Of the signed payload. */
  readonly payloadType?: string
}

// The parameters of the addresses, as AsyncAPI writes them.
const STATION: Station = { prefix: '{prefix}', site: '{site}', device: '{device}' }
const EVIDENCE = '{evidenceId}'
const COMMAND = '{commandId}'

/** Every message of the protocol, one for each kind of topic, from the functions and schemas that the program itself uses. */
export const MESSAGES: Readonly<Record<Topic['kind'], MessageForm>> = {
  status: {
    address: statusTopic(STATION),
    from: 'box',
    summary: 'The box is there; as its last will: it is gone.',
    maxBytes: MAX_STATUS_BYTES,
    retain: true,
    schema: statusSchema,
  },
  manifest: {
    address: manifestTopic(STATION, EVIDENCE),
    from: 'box',
    summary: 'Announces a sealed evidence and names the hash of each chunk.',
    maxBytes: MAX_MANIFEST_BYTES,
    retain: false,
    expirySeconds: MESSAGE_EXPIRY_SECONDS,
    schema: manifestSchema,
    payloadType: MANIFEST_TYPE,
  },
  chunk: {
    address: chunkTopic(STATION, EVIDENCE, 0).replace(/0$/, '{index}'),
    from: 'box',
    summary: `A piece of the age file: ${MAX_CHUNK_BYTES} bytes, the last one fewer.`,
    maxBytes: MAX_CHUNK_BYTES,
    retain: false,
    expirySeconds: MESSAGE_EXPIRY_SECONDS,
  },
  checkpoint: {
    address: checkpointTopic(STATION),
    from: 'box',
    summary: 'How far the audit log has come, for the city to witness.',
    maxBytes: MAX_CHECKPOINT_BYTES,
    retain: true,
    schema: signedCheckpointSchema,
    payloadType: CHECKPOINT_TYPE,
  },
  endorsement: {
    address: endorsementTopic(STATION, '{keyId}'),
    from: 'box',
    summary: "The old signing key's word for the new one.",
    maxBytes: MAX_ENDORSEMENT_BYTES,
    retain: true,
    schema: endorsementSchema,
    payloadType: ENDORSEMENT_TYPE,
  },
  receipt: {
    address: receiptTopic(STATION, EVIDENCE),
    from: 'city',
    summary: "The city's word about one evidence: stored, duplicate, incomplete or rejected.",
    maxBytes: MAX_RECEIPT_BYTES,
    retain: false,
    expirySeconds: MESSAGE_EXPIRY_SECONDS,
    schema: receiptSchema,
    payloadType: RECEIPT_TYPE,
  },
  command: {
    address: commandTopic(STATION, COMMAND),
    from: 'city',
    summary: 'What one box is to do, once: hold, release, erase, resend or rotate-key.',
    maxBytes: MAX_COMMAND_BYTES,
    retain: false,
    expirySeconds: { most: MAX_COMMAND_DAYS * 86_400 },
    schema: commandSchema,
    payloadType: COMMAND_TYPE,
  },
  answer: {
    address: answerTopic(STATION, COMMAND),
    from: 'box',
    summary: 'What became of a command: done, or refused with a code.',
    maxBytes: MAX_ANSWER_BYTES,
    retain: false,
    expirySeconds: ANSWER_EXPIRY_SECONDS,
    schema: answerSchema,
    payloadType: ANSWER_TYPE,
  },
  certificate: {
    address: certificateTopic(STATION, 0).replace(/0$/, '{slot}'),
    from: 'box',
    summary: 'What was deleted: what kinds, how many, from when to when, under which policy.',
    maxBytes: MAX_CERTIFICATE_BYTES,
    retain: true,
    schema: signedCertificateSchema,
    payloadType: CERTIFICATE_TYPE,
  },
}

const PARAMETERS: Readonly<Record<string, string>> = {
  prefix: 'broker.topicPrefix of both sides; may hold more than one level',
  site: 'Where the box stands: lower-case letters, digits and hyphens',
  device: 'Which box, as its certificate names it: lower-case letters, digits and hyphens',
  evidenceId: 'A lower-case UUID',
  keyId: 'Which key is endorsed: the first 16 hex digits of the SHA-256 of its SubjectPublicKeyInfo',
  index: 'Which chunk, from 0',
  commandId: 'A lower-case UUID',
  slot: `The number of the certificate modulo ${CERTIFICATE_SLOTS}`,
}

/** The documents of the protocol by file name, for config/protocol/. */
export function protocolDocuments(): Readonly<Record<string, string>> {
  const schemas = Object.entries<MessageForm>(MESSAGES).flatMap(([name, { schema }]) =>
    schema
      ? [[`${name}.schema.json`, text({ title: name, ...schemaOf(schema, 'draft-2020-12') })] as const]
      : [],
  )
  return {
    'asyncapi.json': text(asyncApi()),
    'envelope.schema.json': text({ title: 'envelope', ...schemaOf(envelopeSchema, 'draft-2020-12') }),
    'stored-event.schema.json': text({
      title: 'stored event',
      ...schemaOf(storedEventSchema, 'draft-2020-12'),
    }),
    ...Object.fromEntries(schemas),
  }
}

/** AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0), from the view of the box. */
function asyncApi(): object {
  const entries = Object.entries<MessageForm>(MESSAGES)
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Roadveil: box and city',
      version: VERSION,
      description:
        'What a box and the receiver of its city say to each other, from the view of the box. MQTT 5 over TLS 1.3, both with ' +
        'certificates. Signed messages are DSSE envelopes (Ed25519). A PUBACK is no receipt: a box deletes evidence only ' +
        'once a receipt says stored or duplicate and names its hash. The order: the box sends a manifest, the city answers incomplete with ' +
        'the chunks that it lacks, the box sends these, the city answers stored. Whoever hears nothing begins again. A command is ' +
        'signed by a key of those that may command, which neither broker nor receiver has, and the box answers each.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      broker: {
        host: '{host}:{port}',
        protocol: 'secure-mqtt',
        protocolVersion: '5',
        description: "The city's broker. It has to accept messages of 131072 bytes.",
        variables: { host: {}, port: { default: '8883' } },
        security: [{ type: 'X509', description: 'A client certificate each; its name is the device' }],
      },
    },
    channels: Object.fromEntries(
      entries.map(([name, { address, summary }]) => [
        name,
        {
          address,
          description: summary,
          messages: { [name]: { $ref: `#/components/messages/${name}` } },
          parameters: parametersOf(address),
        },
      ]),
    ),
    operations: Object.fromEntries(
      entries.map(([name, { from, summary, retain, expirySeconds }]) => [
        `${from === 'box' ? 'send' : 'receive'}${name.charAt(0).toUpperCase()}${name.slice(1)}`,
        {
          action: from === 'box' ? 'send' : 'receive',
          channel: { $ref: `#/channels/${name}` },
          summary,
          bindings: {
            mqtt: {
              qos: 1,
              retain,
              ...(expirySeconds !== undefined && { messageExpiryInterval: expiryOf(expirySeconds) }),
              bindingVersion: '0.2.0',
            },
          },
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(entries.map(([name, form]) => [name, messageOf(name, form)])),
      schemas: Object.fromEntries(
        entries.flatMap(([name, { schema }]) => (schema ? [[name, schemaOf(schema, 'draft-7')]] : [])),
      ),
    },
  }
}

/** A number, or the schema of one. */
function expiryOf(seconds: number | { readonly most: number }): unknown {
  return typeof seconds === 'number' ? seconds : { type: 'integer', minimum: 1, maximum: seconds.most }
}

function messageOf(name: string, { summary, maxBytes, schema, payloadType }: MessageForm): object {
  const signed = payloadType !== undefined
  const described = `${summary} At most ${maxBytes} bytes.`
  if (!schema) {
    const payload = { type: 'string', format: 'binary', maxLength: maxBytes }
    return { name, description: described, contentType: 'application/octet-stream', payload }
  }
  const statement = { $ref: `#/components/schemas/${name}` }
  return {
    name,
    description: signed ? `${described} Signed: a DSSE envelope around the statement.` : described,
    contentType: 'application/json',
    payload: signed ? envelopeOf(name, payloadType) : statement,
    ...(signed && { 'x-signed-statement': statement }),
  }
}

/** The envelope's schema, with the type that it has for this message. */
function envelopeOf(name: string, payloadType: string): object {
  const envelope = schemaOf(envelopeSchema, 'draft-7') as { properties: Record<string, object> }
  return {
    ...envelope,
    properties: {
      ...envelope.properties,
      payloadType: { const: payloadType },
      payload: {
        ...envelope.properties['payload'],
        contentEncoding: 'base64',
        contentMediaType: 'application/json',
        description: `The statement, JSON of the schema ${name}`,
      },
    },
  }
}

function parametersOf(address: string): object {
  const names = [...address.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  return Object.fromEntries(names.map((name) => [name, { description: PARAMETERS[name] }]))
}

function schemaOf(schema: z.ZodType, target: 'draft-7' | 'draft-2020-12'): object {
  return z.toJSONSchema(schema, { target })
}

function text(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
