import { setFlagsFromString } from 'node:v8'
import { setTimeout as sleep } from 'node:timers/promises'
import { runInNewContext } from 'node:vm'
import type { DeliveryTiming } from '../../../src/delivery/timing.ts'
import { isRoadveilError } from '../../../src/errors.ts'
import { QUICK_DELIVERY, setUpStreet, type Street } from '../../support/delivery.ts'
import { untilNoneLeft } from '../../support/until.ts'
import { expectHarm } from '../control.ts'
import { type FlakyLink, layFlakyLink } from '../flaky-link.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

const DAY_MS = 86_400_000
const OUTAGE_MS = 7 * DAY_MS
/** On the box's clock; on ours it lasts as long as storing the evidence takes. */
const BEGAN_AT = Date.parse('2026-03-02T10:00:00Z')
const TIMING: DeliveryTiming = {
  ...QUICK_DELIVERY,
  ...{ reconnect: { firstMs: 10, mostMs: 80 } },
  // No evidence is at fault here: none may be passed, however long a slow machine needs for an answer or to mend a link.
  ...{ answerMs: 1500, confirmMs: 2000, patienceMs: 30_000 },
}
/** Between two faults of the links once the broker is back. */
const FLAP_MS = { least: 600, most: 3000 }
/** As much gets through meanwhile, however slow the machine: what is under way at one time, so that the faults are not one's own. */
const FLAP_ARRIVALS = 5
/** Of a flat memory: what a garbage collector leaves lying about. */
const MOST_GROWTH_BYTES = 24 * 2 ** 20
const PLATE = 'OUT7731QX'

/** No broker for a week of the box's time while evidence comes in, and then one that is hardly there. */
export const outage: FaultSuite = {
  name: 'outage',
  fault: 'no broker for 7 days of compressed time, then flapping links; counted in evidence',
  counts: { short: 500, long: 20_000 },
  async run(rounds) {
    const { folder, tally, planted } = rounds
    let brokerPort = 0
    await using boxLink = await layFlakyLink(() => brokerPort)
    await using cityLink = await layFlakyLink(() => brokerPort)
    const clock = { at: BEGAN_AT, runsSince: Infinity }
    await using street = await setUpStreet(folder, {
      now: () => clock.at + Math.max(0, Math.round(performance.now() - clock.runsSince)),
      maxSizeMiB: 2048,
      ports: { box: boxLink.port, city: cityLink.port },
    })
    brokerPort = street.broker.port
    planted.plant('the plate', PLATE)

    await street.broker.kill()
    const { forwarder } = street.startBox(TIMING)
    const { ids, pauses } = await storeThroughOutage(street, clock, rounds)
    if (forwarder.state().connected) tally.harm('broken', 'the box believes to be connected to a dead broker')
    checkBackoff(pauses, tally)

    const backAt = performance.now()
    clock.runsSince = backAt
    await street.broker.restart()
    street.startCity()
    const arrived = await flapUntilDelivered(street, [boxLink, cityLink], rounds)
    tally.recovered(performance.now() - backAt)
    checkArrival(ids, arrived, tally)
    const [first = '', second = ''] = arrived.ids
    for (const [kind, what, wrong] of [
      ['lost', 'a city without the last evidence', arrived.ids.slice(0, -1)],
      ['duplicated', 'a city that has one twice', [...arrived.ids, first]],
      ['broken', 'a city that got the second one first', [second, first, ...arrived.ids.slice(2)]],
    ] as const)
      await expectHarm(rounds, kind, what, async (broken) =>
        checkArrival(ids, { ...arrived, ids: wrong }, broken.tally),
      )
    const { pending, tombstones } = street.store.inventory.counts()
    if (pending > 0) tally.harm('lost', `${pending} evidence still wait on the box`)
    if (tombstones !== ids.length) tally.harm('lost', `${tombstones} tombstones of ${ids.length} evidence`)
    street.store.audit.verify()
  },
}

/** Stores the evidence evenly over the outage, and sees that the memory that is used does not grow with it. */
async function storeThroughOutage(
  street: Street,
  clock: { at: number },
  { count, tally, signal }: Rounds,
): Promise<{ readonly ids: readonly string[]; readonly pauses: readonly Pause[] }> {
  const ids: string[] = []
  const pauses: Pause[] = []
  let before = 0
  for (let index = 0; index < count && !signal.aborted; index++) {
    clock.at = Math.round(BEGAN_AT + (OUTAGE_MS * index) / count)
    const judgedAt = new Date(clock.at)
    const small = { clipBytes: 300, pictureBytes: 200, plateText: PLATE, judgedAt }
    const sealed = await street.seal(small)
    const about = { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: clock.at, at: clock.at }
    street.store.evidence.commit(sealed, about)
    ids.push(sealed.evidenceId)
    tally.injected()
    // An error that is kept keeps the connection that failed, and thousands of those are no flat memory.
    for (const { message, fields } of street.log.lines.splice(0)) {
      const { attempt = 0, delayMs = 0 } = fields ?? {}
      if (message === 'no connection to the broker') pauses.push({ attempt, delayMs })
    }
    // What every start takes is not growth.
    if (index === Math.floor(count / 5)) before = usedBytes()
  }
  const grown = usedBytes() - before
  if (grown > MOST_GROWTH_BYTES)
    tally.harm('broken', `memory grew by ${Math.round(grown / 2 ** 20)} MiB in the outage`)
  return { ids, pauses }
}

/** How long the box waits before it tries to connect again, after so many tries. */
interface Pause {
  readonly attempt: number
  readonly delayMs: number
}

/** Cuts links and kills the broker again and again until the outbox is empty; returns what arrived, in order. */
async function flapUntilDelivered(
  street: Street,
  links: readonly [FlakyLink, FlakyLink],
  { dice, tally, signal }: Rounds,
): Promise<{ readonly ids: readonly string[]; readonly setAside: ReadonlySet<string> }> {
  const done = new AbortController()
  const ids: string[] = []
  const arrived = (): number => ids.length + street.stored.length
  const flapping = (async () => {
    const pause = async (): Promise<boolean> => {
      const before = arrived()
      await sleep(dice.between(FLAP_MS.least, FLAP_MS.most), undefined, { signal: done.signal }).catch(
        () => undefined,
      )
      while (!done.signal.aborted && arrived() < before + FLAP_ARRIVALS) await sleep(50)
      return !done.signal.aborted
    }
    while (await pause()) {
      if (dice.chance(0.7)) dice.pick(links).cut()
      else {
        await street.broker.kill()
        await sleep(dice.between(0, 300))
        await street.broker.restart()
      }
    }
  })()
  const setAside = new Set<string>()
  const drain = (): void => {
    for (const { evidenceId } of street.stored.splice(0)) ids.push(evidenceId)
    for (const { message, fields } of street.log.lines.splice(0)) {
      if (message !== 'evidence was set aside' || !fields?.evidenceId) continue
      // A city behind a broken link is silent; what waits for it has its place in the order back when it is heard again.
      if (isRoadveilError(fields.error) && fields.error.code === 'ERR_RECEIPT_MISSING') continue
      setAside.add(fields.evidenceId)
    }
  }
  try {
    await untilNoneLeft('everything is delivered', () => {
      drain()
      return signal.aborted ? 0 : street.store.inventory.counts().pending
    })
  } catch (error) {
    tally.harm('lost', String(error))
  } finally {
    done.abort()
    await flapping
    drain()
  }
  return { ids, setAside }
}

function checkArrival(
  ids: readonly string[],
  arrived: { readonly ids: readonly string[]; readonly setAside: ReadonlySet<string> },
  tally: Rounds['tally'],
): void {
  const there = new Set(arrived.ids)
  for (const id of ids) if (!there.has(id)) tally.harm('lost', `${id} is not at the city`)
  if (arrived.ids.length > there.size) {
    tally.harm('duplicated', `${arrived.ids.length - there.size} evidence were accepted twice`)
  }
  const { setAside } = arrived
  if (setAside.size > 0)
    tally.harm('broken', `${setAside.size} evidence were set aside, although only the links failed`)
  const sequences = new Map(ids.map((id, index) => [id, index]))
  const order = arrived.ids.map((id) => sequences.get(id) ?? -1)
  const overtaken = order.filter((sequence, index) => sequence < (order[index - 1] ?? -1))
  if (overtaken.length > 0)
    tally.harm('broken', `${overtaken.length} evidence were overtaken, first number ${overtaken[0]}`)
}

/** Pauses between tries grow to the cap and no further, and no two boxes would have the same. */
function checkBackoff(pauses: readonly Pause[], tally: Rounds['tally']): void {
  const { firstMs, mostMs } = TIMING.reconnect
  const wrong = pauses.filter(({ attempt, delayMs }) => {
    const full = Math.min(mostMs, firstMs * 2 ** (attempt - 1))
    return delayMs > full || delayMs < Math.floor(full / 2)
  })
  if (wrong.length > 0) tally.harm('broken', `${wrong.length} pauses are not within their bounds`)
  if (pauses.length < 10) tally.harm('broken', `only ${pauses.length} tries to connect in the whole outage`)
  const capped = pauses.slice(8).map(({ delayMs }) => delayMs)
  if (new Set(capped).size < Math.min(10, capped.length / 2))
    tally.harm('broken', 'the pauses have no jitter')
}

function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
