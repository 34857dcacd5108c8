import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeliveryTiming } from '../../../src/delivery/timing.ts'
import { isRoadveilError } from '../../../src/errors.ts'
import { receiptTopic } from '../../../src/protocol/topics.ts'
import { createSigningKey, loadSigningKey } from '../../../src/sealing/keys.ts'
import { signReceipt } from '../../../src/sealing/receipt.ts'
import { type SealedEvidence, sha256Hex } from '../../../src/sealing/seal.ts'
import { brokerlessTrial } from '../../support/box.ts'
import { type BoxAndCity, DEVICE, setUpBoxAndCity, SITE, STATION } from '../../support/delivery.ts'
import { expectHarm } from '../control.ts'
import { type Dice, diceOf } from '../dice.ts'
import { createHostileBroker } from '../hostile-broker.ts'
import { setUpLyingStreet } from '../lying-street.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

/** Worlds that run beside each other: most of a sequence is waiting. */
const WORLDS = 8
const HOSTILE_MS = { least: 10, most: 120 }
const HEALED_WITHIN_MS = 30_000

const BACKOFF = { firstMs: 4, mostMs: 30 }
const CONNECTION = { connectMs: 500, publishMs: 50 }
const TIMING: DeliveryTiming = {
  ...{ connection: CONNECTION, reconnect: BACKOFF, retry: BACKOFF },
  ...{ answerMs: 60, confirmMs: 120, patienceMs: 200, pollMs: 10, rejectedMs: 40 },
}
/** A real broker has a network and a disk. */
const WIRE_TIMING: DeliveryTiming = {
  ...TIMING,
  connection: { connectMs: 3000, publishMs: 300 },
  ...{ answerMs: 300, confirmMs: 600, patienceMs: 1000 },
}
const PLATE = 'LIE9274QX'
/** After so many sequences a broker with the city's key has had its chance. */
const CONTROL_SEQUENCES = 60

/** One of so many sequences more goes through a real broker, over wires that lie. */
const REAL_SHARE = 20
const REAL_WORLDS = 3

/** Generated sequences of what a broker must not do, between the real forwarder and the real receiver. */
export const brokerLies: FaultSuite = {
  name: 'broker-lies',
  fault: 'sequences of dropping, killing, reordering, forging by the broker',
  counts: { short: 500, long: 10_000 },
  async run(rounds) {
    const { count, dice, folder } = rounds
    const inMemory = (name: string, ownDice: Dice): Promise<Lies> =>
      liesInMemory(join(folder, name), ownDice, rounds)
    const onWire = (name: string, ownDice: Dice): Promise<Lies> => liesOnWire(join(folder, name), ownDice)
    await playAll(rounds, { count, worlds: WORLDS, name: 'memory', lies: inMemory })
    const real = Math.ceil(count / REAL_SHARE)
    await playAll(rounds, { count: real, worlds: REAL_WORLDS, name: 'wire', lies: onWire })
    await expectHarm(rounds, 'lost', "a broker that has the city's key", async (broken) => {
      const ownDice = diceOf(dice.between(0, 2 ** 31))
      await using lies = await liesInMemory(join(folder, 'control'), ownDice, broken, { hasCityKey: true })
      const play = player(lies, ownDice, broken.tally)
      for (let i = 0; i < CONTROL_SEQUENCES && broken.tally.harms.lost.length === 0; i++)
        await play(`control ${i}`)
    })
  },
}

async function playAll(
  { dice, tally, signal }: Rounds,
  all: {
    readonly count: number
    readonly worlds: number
    readonly name: string
    readonly lies: (name: string, ownDice: Dice) => Promise<Lies>
  },
): Promise<void> {
  let next = 0
  const world = async (index: number, ownDice: Dice): Promise<void> => {
    await using lies = await all.lies(`${all.name}-${index}`, ownDice)
    const play = player(lies, ownDice, tally)
    while (next < all.count && !signal.aborted) {
      tally.injected()
      await play(`${all.name} ${next++}`)
    }
  }
  const seeds = Array.from({ length: Math.min(all.worlds, all.count) }, () => dice.between(0, 2 ** 31))
  await Promise.all(seeds.map((seed, index) => world(index, diceOf(seed))))
}

/** A box and a city, and between them a broker that lies until it is healed. */
interface Lies extends AsyncDisposable {
  readonly both: BoxAndCity
  readonly timing: DeliveryTiming
  /** Evidence on its way, the newest first. */
  readonly under: SealedEvidence[]
  turn(): void
  heal(): Promise<void>
}

async function liesInMemory(
  folder: string,
  dice: Dice,
  { planted }: Pick<Rounds, 'planted'>,
  { hasCityKey = false } = {},
): Promise<Lies> {
  const trial = await brokerlessTrial(folder, { site: SITE, device: DEVICE })
  planted.plant('the plate', PLATE)
  const cityKey = loadSigningKey({ name: 'none', file: trial.city.receiptKey, env: {} })
  const strangerKey = createSigningKey({
    privateFile: join(folder, 'stranger.key'),
    publicFile: join(folder, 'stranger.pem'),
  })
  const under: SealedEvidence[] = []

  /** Receipts that the city never gave: of a stranger, under its name, and its own for others. */
  const invent = (): { topic: string; payload: Buffer }[] => {
    const [victim] = under
    if (!victim) return []
    const { evidenceId, ciphertextSha256 } = victim
    const receipt = {
      ...{ deviceId: DEVICE, evidenceId, ciphertextSha256 },
      ...{ status: 'stored' as const, issuedAt: new Date().toISOString() },
    }
    if (hasCityKey)
      return [
        { topic: receiptTopic(STATION, evidenceId), payload: Buffer.from(signReceipt(receipt, cityKey)) },
      ]
    const payload = dice.pick([
      () => signReceipt(receipt, strangerKey),
      () => signReceipt(receipt, { ...strangerKey, id: cityKey.id }),
      () => signReceipt({ ...receipt, deviceId: 'box-2' }, cityKey),
      () => signReceipt({ ...receipt, ciphertextSha256: 'c'.repeat(64) }, cityKey),
      () => signReceipt({ ...receipt, evidenceId: '00000000-0000-4000-8000-000000000000' }, cityKey),
      () => victim.manifest,
      () => Buffer.from('{}'),
    ])()
    return [{ topic: receiptTopic(STATION, evidenceId), payload: Buffer.from(payload) }]
  }
  const broker = createHostileBroker(dice, { invent, delayMs: 20 })
  const both = await setUpBoxAndCity(trial, folder, {
    connect: broker.connect,
    cityTiming: { connection: CONNECTION, reconnect: BACKOFF, askAfterMs: 30 },
  })
  return {
    ...{ both, under, timing: TIMING },
    turn: () => broker.turn(),
    heal: async () => broker.heal(),
    [Symbol.asyncDispose]: () => both[Symbol.asyncDispose](),
  }
}

async function liesOnWire(folder: string, dice: Dice): Promise<Lies> {
  const street = await setUpLyingStreet(folder, dice)
  return { ...street, under: [], timing: WIRE_TIMING }
}

/** Plays sequences, one after the other: evidence is committed while the broker lies, and must be at the city once it is healed. */
function player(lies: Lies, dice: Dice, tally: Rounds['tally']): (sequence: string) => Promise<void> {
  const { both, timing, under } = lies
  watchSettling(both, (id) => tally.harm('lost', `${id} was settled before the city had stored it`))

  return async (sequence) => {
    const harm = (kind: 'lost' | 'duplicated' | 'broken', what: string): void =>
      tally.harm(kind, `sequence ${sequence}: ${what}`)
    lies.turn()
    let city = both.startCity()
    let box = both.startBox(timing)
    const committed: SealedEvidence[] = []
    const end = performance.now() + dice.between(HOSTILE_MS.least, HOSTILE_MS.most)
    for (let left = dice.between(1, 2); left > 0; left--) {
      const clipBytes = dice.chance(0.1) ? dice.between(90_000, 250_000) : 300
      const sealed = await both.seal({ clipBytes, pictureBytes: 200, plateText: PLATE })
      committed.push(sealed)
      under.unshift(sealed)
      const at = Date.now()
      both.store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: at, at })
      box.forwarder.wake()
      await sleep(dice.between(0, 15))
      if (dice.chance(0.1)) {
        await box.stop()
        box = both.startBox(timing)
      }
      if (dice.chance(0.1)) {
        await city.stop()
        city = both.startCity()
      }
    }
    await sleep(Math.max(0, end - performance.now()))
    await lies.heal()
    const healedAt = performance.now()
    const isDone = (): boolean => both.store.inventory.counts().pending === 0
    while (!isDone() && performance.now() < healedAt + HEALED_WITHIN_MS) await sleep(5)
    if (isDone()) tally.recovered(performance.now() - healedAt)
    else
      harm('broken', `the outbox is not empty ${HEALED_WITHIN_MS / 1000} s after the broker was honest again`)
    await box.stop()
    await city.stop()
    check(both, committed, harm)
    under.length = 0
    both.stored.length = 0
    both.log.lines.length = 0
  }
}

/** Calls `tooEarly` when evidence leaves the box that is not on the city's disk, byte for byte. */
function watchSettling({ store, config }: BoxAndCity, tooEarly: (id: string) => void): void {
  const settle = store.outbox.settle.bind(store.outbox)
  Object.assign(store.outbox, {
    settle: (...args: Parameters<typeof settle>) => {
      const settlement = settle(...args)
      const [{ evidenceId, ciphertextSha256 }] = args
      const sealed = join(
        config.outputDirectory ?? '',
        SITE,
        DEVICE,
        evidenceId,
        'sealed',
        'evidence.tar.age',
      )
      const isThere = existsSync(sealed) && sha256Hex(readFileSync(sealed)) === ciphertextSha256
      if ((settlement === 'deleted' || settlement === 'held') && !isThere) tooEarly(evidenceId)
      return settlement
    },
  })
}

/** A broker that keeps one from getting anywhere for long enough has the others pass it. */
function isOutOfOrder({ message }: { readonly message: string }): boolean {
  return message === 'evidence was set aside' || message === 'evidence passes another that gets nowhere'
}

function check(
  { stored, log, config }: BoxAndCity,
  committed: readonly SealedEvidence[],
  harm: (kind: 'lost' | 'duplicated' | 'broken', what: string) => void,
): void {
  const ids = committed.map(({ evidenceId }) => evidenceId)
  const arrived = stored.map(({ evidenceId }) => evidenceId)
  for (const [index, id] of ids.entries()) {
    const times = arrived.filter((each) => each === id).length
    if (!existsSync(join(config.outputDirectory ?? '', SITE, DEVICE, id)))
      harm('lost', `evidence ${index} is not at the city`)
    if (times > 1) harm('duplicated', `evidence ${index} was accepted ${times} times`)
  }
  for (const id of arrived)
    if (!ids.includes(id)) harm('broken', `the city has accepted ${id}, which was not sent`)

  const outOfOrder = new Set(log.lines.filter(isOutOfOrder).map(({ fields }) => fields?.evidenceId))
  const kept = (each: readonly string[]): string => each.filter((id) => !outOfOrder.has(id)).join()
  if (kept(arrived) !== kept(ids.filter((id) => arrived.includes(id))))
    harm('broken', 'evidence that was not set aside, and passed nothing, arrived in another order')
  for (const { level, message, fields } of log.lines) {
    const hasCode = fields?.error === undefined || isRoadveilError(fields.error)
    if (level === 'error' || !hasCode) harm('broken', `logged: ${message} ${String(fields?.error)}`)
  }
}
