import { randomUUID } from 'node:crypto'
import { inspect, isDeepStrictEqual } from 'node:util'
import { isRoadveilError } from '../../../src/errors.ts'
import {
  evidenceFrame,
  parseEvidence,
  parseMessage,
  visionMessageSchema,
} from '../../../src/channel/messages.ts'
import { encodeFrame, readFrames } from '../../../src/channel/framing.ts'
import { readReceipt } from '../../../src/delivery/receipts.ts'
import {
  answerTopic,
  certificateTopic,
  chunkTopic,
  commandTopic,
  manifestTopic,
  isUuid,
  parseTopic,
  receiptTopic,
  statusTopic,
} from '../../../src/protocol/topics.ts'
import { signCommand, verifyCommand } from '../../../src/sealing/command.ts'
import { signEnvelope } from '../../../src/sealing/dsse.ts'
import { loadPublicKey, loadSigningKey } from '../../../src/sealing/keys.ts'
import { signReceipt, verifyReceipt } from '../../../src/sealing/receipt.ts'
import { brokerlessTrial } from '../../support/box.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { bend, damage, warp } from '../mutate.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

const PLATE = 'FZ81NQX'
const STATION = { prefix: 'roadveil', site: 'hill-street', device: 'box-1' }

/** A parser under fire: throws a coded error or gives a value in which everything is as it should be. */
interface Target {
  readonly name: string
  shoot(): Promise<void> | void
}

/** Everything that comes from outside the process, bent: receipts, commands, topics, frames and messages of the channel. */
export const fuzz: FaultSuite = {
  name: 'fuzz',
  fault: 'damaged receipts, commands, topics, channel frames and messages; so many of each',
  // Of each target.
  counts: { short: 1_000, long: 10_000 },
  async run(rounds) {
    const targets = await targetsOf(rounds)
    const shots = Array.from({ length: rounds.count }, () => targets).flat()
    for (const target of shots) {
      if (rounds.signal.aborted) return
      rounds.tally.injected()
      try {
        await target.shoot()
      } catch (error) {
        if (!isRoadveilError(error)) rounds.tally.harm('broken', `${target.name}: ${String(error)}`)
        // Somebody will log it.
        for (const hit of rounds.planted.within(`an error: ${target.name}`, inspect(error, { depth: 8 })))
          rounds.tally.harm('leaked', hit)
      }
      if ('polluted' in {}) {
        rounds.tally.harm('broken', `${target.name}: every object has got a property`)
        delete (Object.prototype as { polluted?: unknown }).polluted
      }
    }
  },
}

async function targetsOf({ folder, dice, tally, planted }: Rounds): Promise<readonly Target[]> {
  const trial = await brokerlessTrial(folder, { site: STATION.site, device: STATION.device })
  planted.plant('the plate', PLATE)
  const cityKey = loadSigningKey({ name: 'none', file: trial.city.receiptKey, env: {} })
  const { id, publicKey } = loadPublicKey(trial.box.receiptPublicKey)
  const evidenceId = randomUUID()
  const receipt = {
    ...{ deviceId: STATION.device, evidenceId, ciphertextSha256: 'b'.repeat(64) },
    ...{ status: 'stored' as const, issuedAt: new Date().toISOString() },
  }
  const signed = signReceipt(receipt, cityKey)
  const verify = (bytes: Uint8Array) =>
    verifyReceipt(bytes, new Map([[id, publicKey]]), { deviceId: STATION.device })
  const commandKey = loadSigningKey({ name: 'none', file: trial.city.commandKey, env: {} })
  const command = {
    ...{ commandId: randomUUID(), site: STATION.site, deviceId: STATION.device, kind: 'hold' as const },
    ...{ issuedAt: '2026-05-01T12:00:00.000Z', expiresAt: '2026-05-02T12:00:00.000Z' },
    ...{ by: 'ada', reason: 'court order', caseNumber: '7/26', subject: { evidenceIds: [evidenceId] } },
  }
  const commanded = signCommand(command, commandKey)
  const commandKeys = new Map([[commandKey.id, loadPublicKey(trial.box.commandPublicKey).publicKey]])
  const { site, device: deviceId } = STATION
  const evidence = syntheticEvidence({ clipBytes: 2_000, plateText: PLATE })
  const whole = evidenceFrame(evidence)
  const frame = Buffer.concat(encodeFrame(whole))
  const topics = [
    statusTopic(STATION),
    manifestTopic(STATION, evidenceId),
    chunkTopic(STATION, evidenceId, 3),
    receiptTopic(STATION, evidenceId),
    commandTopic(STATION, evidenceId),
    answerTopic(STATION, evidenceId),
    certificateTopic(STATION, 3),
  ] as const

  return [
    {
      name: 'receipt',
      shoot() {
        const payload = damagedEnvelope(signed)
        if (payload.equals(signed)) return
        const found = readReceipt({ topic: receiptTopic(STATION, evidenceId), payload }, STATION, verify)
        // Other bytes may say the same, such as another spacing of the envelope; they may not say anything else.
        if (JSON.stringify(found) !== JSON.stringify({ ...receipt, keyId: cityKey.id }))
          tally.harm('broken', 'a damaged receipt was taken for another one')
      },
    },
    {
      name: 'command',
      shoot() {
        const payload = damagedEnvelope(commanded)
        const found = verifyCommand(payload, commandKeys, { site, deviceId })
        const expected = { schema: 'roadveil.command.v1', ...command, keyId: commandKey.id }
        if (!isDeepStrictEqual(found, expected))
          tally.harm('broken', 'a damaged command was taken for another one')
      },
    },
    {
      name: 'command of the city',
      shoot() {
        // With a key that is trusted: whatever a program of the city signs, what is taken has its form.
        const warped = warp({ schema: 'roadveil.command.v1', ...command, keyId: commandKey.id }, dice)
        const payload = Buffer.from(JSON.stringify(warped))
        const type = 'application/vnd.roadveil.command.v1+json'
        const found = verifyCommand(signEnvelope(type, payload, commandKey), commandKeys, { site, deviceId })
        const ids = 'subject' in found && 'evidenceIds' in found.subject ? found.subject.evidenceIds : []
        const words = [found.by, found.reason, ...('caseNumber' in found ? [found.caseNumber ?? ''] : [])]
        if (!isUuid(found.commandId) || !ids.every(isUuid) || words.some((said) => /\p{Cc}/u.test(said)))
          tally.harm('broken', `a command was taken as ${JSON.stringify(found)}`)
        if (Date.parse(found.expiresAt) - Date.parse(found.issuedAt) > 30 * 86_400_000)
          tally.harm('broken', `a command is valid from ${found.issuedAt} until ${found.expiresAt}`)
      },
    },
    {
      name: 'topic',
      shoot() {
        const topic = parseTopic(STATION.prefix, bend(dice.pick(topics), dice))
        const id = 'evidenceId' in topic ? topic.evidenceId : 'commandId' in topic ? topic.commandId : 'x'
        const names = [topic.site, topic.device, id]
        if (!names.every((name) => /^[a-z0-9][a-z0-9-]*$/.test(name)))
          tally.harm('broken', `a topic names ${JSON.stringify(names)}`)
      },
    },
    {
      name: 'frame',
      async shoot() {
        for await (const { message } of readFrames(piecesOf(damage(frame, dice))))
          parseMessage(visionMessageSchema, message)
      },
    },
    {
      name: 'message',
      shoot() {
        const message = parseMessage(visionMessageSchema, warp(whole.message, dice))
        if (message.type !== 'evidence') return
        for (const { name } of parseEvidence(message, whole.parts).files)
          if (!/^[a-z0-9][a-z0-9.-]*$/.test(name))
            tally.harm('broken', `a file is called ${JSON.stringify(name)}`)
      },
    },
  ]

  function damagedEnvelope(envelope: Uint8Array): Buffer {
    return dice.chance(0.5)
      ? damage(envelope, dice)
      : Buffer.from(JSON.stringify(warp(JSON.parse(Buffer.from(envelope).toString()), dice)))
  }

  async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096)
  }
}
