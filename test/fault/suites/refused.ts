import { readFileSync, writeFileSync } from 'node:fs'
import type { DeliveryTiming } from '../../../src/delivery/timing.ts'
import { manifestTopic, parseTopic } from '../../../src/protocol/topics.ts'
import type { SealedEvidence } from '../../../src/sealing/seal.ts'
import { DEVICE, QUICK_DELIVERY, setUpStreet, STATION, type Street } from '../../support/delivery.ts'
import { until } from '../../support/until.ts'
import { layLyingLink } from '../lying-link.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

/** The delivery's waits are a tenth of what they are on the street. */
const SCALE = 10
const TIMING: DeliveryTiming = {
  ...QUICK_DELIVERY,
  ...{ connection: { connectMs: 3000, publishMs: 5000 }, answerMs: 500, confirmMs: 3000, patienceMs: 3000 },
  ...{ retry: { firstMs: 200, mostMs: 2000 }, rejectedMs: 2000 },
}
const FLOW_WITHIN_MS = 60_000 / SCALE
/** For a machine that does other things as well. */
const GRACE_MS = 6_000
const PLATE = 'REF5520QX'

/** What mosquitto accepts while it refuses: less than the large evidence's one chunk, more than all of the others. */
const PACKET_BYTES = 40_000
const PAYLOAD_BYTES = 20_000

/** Why a broker refuses a message, and what the box says about the evidence. */
const KINDS = [
  { name: 'too large for a packet', codes: ['ERR_MESSAGE_TOO_LARGE'], clipBytes: 50_000 },
  // mosquitto answers with a reason that MQTT 5 does not know there, which ends the connection.
  { name: 'too large for the broker', codes: ['ERR_BROKER_HANGS_UP'], clipBytes: 25_000 },
  { name: 'not authorised', codes: ['ERR_PUBLISH_REFUSED'], clipBytes: 300 },
  { name: 'beyond the quota', codes: ['ERR_PUBLISH_REFUSED'], clipBytes: 300 },
  { name: 'never answered by the city', codes: ['ERR_RECEIPT_MISSING'], clipBytes: 300 },
  // Whichever comes first: its own time, or the end of the connection that others cause all the time.
  {
    name: 'never answered by the broker',
    codes: ['ERR_PUBLISH_TIMEOUT', 'ERR_BROKER_HANGS_UP'],
    clipBytes: 300,
  },
] as const
type Kind = (typeof KINDS)[number]

/** Evidence of which a message is refused, among other evidence that must not wait for it. */
export const refused: FaultSuite = {
  name: 'refused',
  fault: 'messages that the broker refuses: size, rights, quota, silence',
  counts: { short: 20, long: 200 },
  async run({ folder, count, dice, tally, planted, signal }) {
    const kindOf = new Map<string, Kind>()
    let isCured = false
    const ports = { box: 0, city: 0 }
    await using street = await setUpStreet(folder, { ports, maxSizeMiB: 256 })
    planted.plant('the plate', PLATE)
    const { port } = street.broker
    ports.city = port
    await using link = await layLyingLink(street.trial, port, ({ topic }) => {
      const parsed = isCured ? undefined : parseTopic(STATION.prefix, topic)
      const kind = parsed && 'evidenceId' in parsed ? kindOf.get(parsed.evidenceId) : undefined
      if (kind?.name === 'beyond the quota') return 'refuse'
      if (kind?.name === 'never answered by the city') return 'drop'
      return kind?.name === 'never answered by the broker' ? 'swallow' : 'pass'
    })
    ports.box = link.port

    const good: SealedEvidence[] = []
    const queue: SealedEvidence[] = []
    for (let index = 0; index < count; index++) {
      const kind = KINDS[index % KINDS.length] ?? KINDS[0]
      const bad = await street.seal({ clipBytes: kind.clipBytes, pictureBytes: 200, plateText: PLATE })
      kindOf.set(bad.evidenceId, kind)
      queue.splice(dice.between(0, queue.length), 0, bad)
      const fine = await street.seal({ clipBytes: 300, pictureBytes: 200, plateText: PLATE })
      good.push(fine)
      queue.splice(dice.between(0, queue.length), 0, fine)
    }
    const cure = await infect(street, kindOf)
    for (const sealed of queue) {
      const at = Date.now()
      street.store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: at, at })
    }
    tally.injected(count)
    street.startCity()
    street.startBox(TIMING)

    await seeOthersFlow(street, good, { tally, signal })
    await seeSetAside(street, kindOf, tally)
    isCured = true
    await cure()
    const curedAt = performance.now()
    await until('the refused ones are there, too', () => street.store.inventory.counts().pending === 0).catch(
      () => {
        tally.harm(
          'lost',
          `${street.store.inventory.counts().pending} evidence are not delivered once nothing refuses them`,
        )
      },
    )
    tally.recovered(performance.now() - curedAt)
    const ids = street.stored.map(({ evidenceId }) => evidenceId)
    for (const { evidenceId } of queue) {
      const times = ids.filter((id) => id === evidenceId).length
      if (times === 0) tally.harm('lost', `${evidenceId} is not at the city`)
      if (times > 1) tally.harm('duplicated', `${evidenceId} was accepted ${times} times`)
    }
  },
}

/** Starts mosquitto again with limits and with rights that leave evidence out. Returns what undoes it. */
async function infect(
  { broker, trial }: Street,
  kindOf: ReadonlyMap<string, Kind>,
): Promise<() => Promise<void>> {
  const files = [trial.broker.config, trial.broker.acl] as const
  const [config, rights] = files.map((file) => readFileSync(file, 'utf8')) as [string, string]
  const write = async (texts: readonly [string, string]): Promise<void> => {
    await broker.kill()
    files.forEach((file, index) => writeFileSync(file, texts[index] ?? ''))
    await broker.restart()
  }
  const denied = [...kindOf].flatMap(([id, { name }], index) => {
    if (name !== 'not authorised') return []
    const manifest = manifestTopic(STATION, id)
    return [index % 2 === 0 ? manifest : manifest.replace(/manifest$/, 'chunk/0')]
  })
  const limits = `message_size_limit ${PAYLOAD_BYTES}\n`
  const narrow = config.replace(/^max_packet_size .*$/m, `max_packet_size ${PACKET_BYTES}`) + limits
  const without = `user ${DEVICE}\n${denied.map((topic) => `topic deny ${topic}\n`).join('')}\n`
  await write([narrow, without + rights])
  return () => write([config, rights])
}

async function seeOthersFlow(
  street: Street,
  good: readonly SealedEvidence[],
  { tally, signal }: Pick<Rounds, 'tally' | 'signal'>,
): Promise<void> {
  const beganAt = performance.now()
  const missing = (): number => {
    const there = new Set(street.stored.map(({ evidenceId }) => evidenceId))
    return good.filter(({ evidenceId }) => !there.has(evidenceId)).length
  }
  // Each refusal may cost its own while; none of the others waits longer for the next one to come through.
  let left = missing()
  let longestMs = 0
  for (let movedAt = beganAt; left > 0 && !signal.aborted;) {
    await until('another one flows', () => missing() < left || signal.aborted).catch(() => undefined)
    const now = performance.now()
    longestMs = Math.max(longestMs, now - movedAt)
    movedAt = now
    if (missing() === left) break
    left = missing()
  }
  if (left > 0) tally.harm('lost', `${left} evidence that nobody refuses are not delivered`)
  else if (longestMs > FLOW_WITHIN_MS + GRACE_MS) {
    tally.harm('broken', `nothing flowed for ${Math.round(longestMs)} ms, with waits a tenth of the usual`)
  }
}

/** Every refused evidence is still there, says why, and is among those that were set aside. */
async function seeSetAside(
  { store }: Street,
  kindOf: ReadonlyMap<string, Kind>,
  tally: Rounds['tally'],
): Promise<void> {
  const counted = (): number => store.inventory.setAside().reduce((sum, { count }) => sum + count, 0)
  await until('all are set aside', () => counted() === kindOf.size).catch(() => {
    tally.harm('broken', `${counted()} of ${kindOf.size} refused evidence are said to be set aside`)
  })
  const rows = store.inventory.list()
  const told = new Set<string>()
  const listen = (): boolean => {
    for (const { evidenceId, lastErrorCode } of store.inventory.list())
      if (kindOf.get(evidenceId)?.codes.some((code) => code === lastErrorCode)) told.add(evidenceId)
    return told.size === kindOf.size
  }
  // Now and then one says instead that the connection ended, as others made it do.
  await until('each has said why', listen).catch(() => undefined)
  for (const [id, { name }] of kindOf) {
    const row = rows.find(({ evidenceId }) => evidenceId === id)
    if (!row) tally.harm('lost', `evidence that is ${name} is gone from the box`)
    else if (!told.has(id)) tally.harm('broken', `evidence that is ${name} says ${row.lastErrorCode}`)
  }
}
