import t from 'tap'
import { isRoadveilError } from '../../src/errors.ts'
import { decodeStatus, encodeStatus, type Status } from '../../src/protocol/status.ts'
import {
  answerTopic,
  certificateTopic,
  checkpointTopic,
  chunkTopic,
  commandTopic,
  endorsementTopic,
  manifestTopic,
  parseTopic,
  receiptTopic,
  statusTopic,
} from '../../src/protocol/topics.ts'

const station = { prefix: 'city/cameras', site: 'hill-street', device: 'box-1' }
const who = { site: 'hill-street', device: 'box-1' }
const keyId = '0123456789abcdef'
const evidenceId = '0b0c9c5e-7a68-4a4c-9d11-2f6f1f0e5a11'

await t.test('every topic that is written is read back', async (t) => {
  const read = (topic: string): unknown => parseTopic(station.prefix, topic)
  t.strictSame(read(statusTopic(station)), { ...who, kind: 'status' })
  t.strictSame(read(checkpointTopic(station)), { ...who, kind: 'checkpoint' })
  t.strictSame(read(endorsementTopic(station, keyId)), { ...who, kind: 'endorsement', keyId })
  t.strictSame(read(manifestTopic(station, evidenceId)), { ...who, kind: 'manifest', evidenceId })
  t.strictSame(read(chunkTopic(station, evidenceId, 41)), { ...who, kind: 'chunk', evidenceId, index: 41 })
  t.strictSame(read(receiptTopic(station, evidenceId)), { ...who, kind: 'receipt', evidenceId })
  t.strictSame(read(commandTopic(station, evidenceId)), { ...who, kind: 'command', commandId: evidenceId })
  t.strictSame(read(answerTopic(station, evidenceId)), { ...who, kind: 'answer', commandId: evidenceId })
  t.strictSame(read(certificateTopic(station, 130)), { ...who, kind: 'certificate', slot: 2 })
})

await t.test('nothing else is read as a topic', async (t) => {
  const good = chunkTopic(station, evidenceId, 7)
  const wrong = [
    '',
    '/',
    good.replace('v1', 'v2'),
    good.replace('city', 'town'),
    good + '/',
    good + '/x',
    good + '1000',
    good.replace('/7', '/07'),
    good.replace('/7', '/-1'),
    good.replace('/7', '/1e2'),
    good.replace('/7', '/'),
    good.replace('/7', '/694'),
    good.replace('box-1', '..'),
    good.replace('box-1', 'Box-1'),
    good.replace('box-1', ''),
    good.replace('box-1', 'box\u0000'),
    good.replace('hill-street', '.'),
    good.replace('hill-street', 'a'.repeat(64)),
    good.replace(evidenceId, '..'),
    good.replace(evidenceId, evidenceId.toUpperCase()),
    good.replace(evidenceId, evidenceId + '\n'),
    good.replace('chunk', 'chunks'),
    manifestTopic(station, evidenceId) + '/0',
    statusTopic(station) + '/x',
    checkpointTopic(station) + '/x',
    endorsementTopic(station, keyId) + '/x',
    endorsementTopic(station, keyId.toUpperCase()),
    endorsementTopic(station, '..'),
    receiptTopic(station, evidenceId) + '/x',
    commandTopic(station, '+'),
    commandTopic(station, evidenceId) + '/x',
    answerTopic(station, 'x'),
    certificateTopic(station, 0).replace('/0', '/64'),
    certificateTopic(station, 0) + '/x',
    'city/cameras/v1',
    'x'.repeat(100_000),
  ]
  for (const topic of wrong) {
    t.throws(() => parseTopic(station.prefix, topic), { code: 'ERR_TOPIC' }, topic.slice(0, 80))
  }
})

await t.test('hundreds of mutated topics are read back as they were or refused with the code', async (t) => {
  const topics = [
    statusTopic(station),
    checkpointTopic(station),
    endorsementTopic(station, keyId),
    manifestTopic(station, evidenceId),
    chunkTopic(station, evidenceId, 12),
    receiptTopic(station, evidenceId),
  ]
  const letters = ['/', '.', '..', '+', '#', '\u0000', '%2f', '\\', 'é', '0', 'a', '']
  let refused = 0
  for (const topic of topics) {
    for (let at = 0; at < topic.length; at++) {
      const mutated = topic.slice(0, at) + (letters[at % letters.length] ?? '') + topic.slice(at + 1)
      try {
        const parsed = parseTopic(station.prefix, mutated)
        const text = JSON.stringify(parsed)
        if (/\.\.|\\|\//.test(text)) t.fail(`${mutated} was read as ${text}`)
      } catch (error) {
        if (!isRoadveilError(error, 'ERR_TOPIC')) t.fail(`${mutated} gave no code`)
        refused += 1
      }
    }
  }
  t.ok(refused > 200, `${refused} were refused`)
})

await t.test('a status is read back, and nothing else is read as one', async (t) => {
  const status: Status = {
    schema: 'roadveil.status.v1',
    state: 'online',
    connectedAt: '2026-11-22T08:00:00.000Z',
    software: '0.1.0',
  }
  t.strictSame(decodeStatus(encodeStatus(status)), status)
  for (const text of ['', '{}', 'null', '[]', '{"state":"online"}', ' '.repeat(5000), '\u0000']) {
    t.throws(() => decodeStatus(Buffer.from(text)), { code: 'ERR_MESSAGE' })
  }
})
