import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { SealedEvidence } from '../../../src/sealing/seal.ts'
import { stolenSeconds } from '../process-tree.ts'
import { measureCommit } from './commit.ts'
import { sendByBareClient, sendByMosquittoPub } from './senders.ts'
import { setUpTown, type Town, type Vault } from './town.ts'

/**
 * `npm run bench:delivery -- [--count N] [--deliver N]`: what storing and delivering costs, against what the same disk, link and
 * receiver reach without the box. Needs mosquitto_pub (mosquitto-clients).
 *
 * `--count` evidence wait in the outbox, of which the first `--deliver` (all) are delivered: the longer the backlog, the more one costs.
 */

const { values } = parseArgs({
  options: { count: { type: 'string', default: '20000' }, deliver: { type: 'string' } },
})
const count = Number(values.count)
const deliver = Math.min(count, Number(values.deliver ?? count))
/** Others send fewer: it is their rate that is compared. */
const MOST_BY_MOSQUITTO_PUB = 200
const MOST_BY_BARE_CLIENT = 2_000

/** A usual evidence, and a large one of a 4K camera. */
const HANDED_OVER_MB = [5, 20] as const
const HANDED_OVER = 8

/** The box announces some evidence beyond what is waited for. */
const MARGIN = 50
/** When nothing arrives for so long, nothing will. */
const STALLED_MS = 60_000

const directory = mkdtempSync(join(tmpdir(), 'rvb-'))
try {
  await bench()
} finally {
  rmSync(directory, { recursive: true, force: true })
}

async function bench(): Promise<void> {
  const stolenBefore = stolenSeconds()
  const { commitMs, afterwardsMs, fileMs } = await measureCommit(directory)
  line('5 MB into a file, with fsync', `${fileMs.toFixed(0)} ms`)
  line('5 MB of evidence committed', `${commitMs.toFixed(0)} ms`)
  line('moving the log on, afterwards', `${afterwardsMs.toFixed(0)} ms`)
  line('speed of the commit / speed of the file (bar: 0.5)', (fileMs / commitMs).toFixed(2))

  await using town = await setUpTown(directory)
  await town.broker.kill()
  await town.fill(deliver + MARGIN, count)
  const offline = await town.startVault()
  line(`start of the vault with ${count} evidence (bar: 3 s)`, `${offline.startSeconds.toFixed(2)} s`)
  let memoryMb = offline.memoryMb()
  for (const megabytes of HANDED_OVER_MB) {
    const peak = await peakOf(offline, () => town.handOver(megabytes * 1e6, HANDED_OVER))
    line(`memory of the vault while it takes evidence of ${megabytes} MB`, `${peak.toFixed(0)} MB`)
  }
  await offline.stop()

  await town.broker.restart()
  const city = await town.startCity()
  const byBox = await measureBox(
    town,
    () => city.stored(),
    (mb) => (memoryMb = Math.max(memoryMb, mb)),
  )
  line('memory of the vault, peak (PSS; bar: 250 MB)', `${memoryMb.toFixed(0)} MB`)
  line(`delivered by the box, the first ${deliver} of ${count}`, `${byBox.toFixed(1)} a second`)
  const byMosquitto = await measureOther(
    town,
    () => city.stored(),
    Math.min(deliver, MOST_BY_MOSQUITTO_PUB),
    (all) => sendByMosquittoPub(all, town, directory),
  )
  line('by mosquitto_pub', `${byMosquitto.toFixed(1)} a second`)
  line('box / mosquitto_pub (bar: 0.5)', (byBox / byMosquitto).toFixed(2))
  const byClient = await measureOther(
    town,
    () => city.stored(),
    Math.min(deliver, MOST_BY_BARE_CLIENT),
    (all) => sendByBareClient(all, town, () => city.stored()),
  )
  line('by one connection that waits for no receipts', `${byClient.toFixed(1)} a second`)
  line('box / one connection', (byBox / byClient).toFixed(2))
  line('taken by other virtual machines meanwhile', `${(stolenSeconds() - stolenBefore).toFixed(1)} s of CPU`)
}

async function measureBox(town: Town, stored: () => number, seen: (mb: number) => void): Promise<number> {
  const before = stored()
  const vault = await town.startVault()
  const beganAt = performance.now()
  await arrive(stored, before + deliver, () => {
    seen(vault.memoryMb())
  })
  const rate = ((stored() - before) * 1000) / (performance.now() - beganAt)
  while ((await vault.outbox()) > count - deliver) await sleep(20)
  await vault.stop()
  return rate
}

async function measureOther(
  town: Town,
  stored: () => number,
  sample: number,
  send: (all: readonly SealedEvidence[]) => Promise<void>,
): Promise<number> {
  const all: SealedEvidence[] = []
  for (let left = sample; left > 0; left--) all.push(await town.seal())
  const before = stored()
  const beganAt = performance.now()
  await send(all)
  await arrive(stored, before + sample)
  return (sample * 1000) / (performance.now() - beganAt)
}

/** The most memory, in MB, that a vault has during some work. */
async function peakOf(vault: Vault, work: () => Promise<void>): Promise<number> {
  let peak = 0
  const look = (): void => void (peak = Math.max(peak, vault.memoryMb()))
  const timer = setInterval(look, 50)
  try {
    await work()
    look()
  } finally {
    clearInterval(timer)
  }
  return peak
}

/** Waits until so much is stored. */
async function arrive(stored: () => number, goal: number, look: () => void = () => undefined): Promise<void> {
  let [last, movedAt, lookAt] = [stored(), performance.now(), 0]
  while (stored() < goal) {
    const now = performance.now()
    if (stored() > last) [last, movedAt] = [stored(), now]
    if (now - movedAt > STALLED_MS) throw new Error(`only ${last} of ${goal} arrived`)
    // Adding a process's memory up takes some milliseconds.
    if (now >= lookAt) {
      look()
      lookAt = now + 500
    }
    await sleep(5)
  }
}

function line(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(54)}${value}\n`)
}
