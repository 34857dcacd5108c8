import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { askVault } from '../../../src/channel/control.ts'
import { connectVault } from '../../../src/channel/link.ts'
import { VERSION } from '../../../src/version.ts'
import { storeFileIn } from '../../store/store.fixture.ts'
import { boxConfig, brokerlessTrial } from '../../support/box.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { keptLog } from '../../support/kept-log.ts'
import { type Dice, diceOf } from '../dice.ts'
import { cutInto, isBallast, testStoreIn } from '../power/cuts.ts'
import { diskAt } from '../power/disk.ts'
import { openAsVault } from '../power/open-as-vault.ts'
import { lackingForRecordings, record, refusingSyncs } from '../power/recording.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

const CUTS = 4
const TURNS = 10
/** By the next process, before the current goes. */
const LATER_TURNS = 4
/** Every so many faults, one hits a whole vault. */
const VAULT_EVERY = 5
const MOST_EVIDENCE = 80
/** Those of opening a new store are for the other rounds: SQLite keeps some of their failures to itself. */
const OPENING_SYNCS = 30
const PATIENCE_MS = 20_000
const WRITER = join(import.meta.dirname, '..', 'power', 'store-writer.ts')
const VAULT = join(import.meta.dirname, '..', '..', 'support', 'vault-process.ts')
const NAMES = { site: 'main-street', device: 'box-1' }

/** Writes and syncs that the disk refuses: nothing may be acknowledged after one, and everything that was must be there. */
export const ioErrors: FaultSuite = {
  name: 'io-errors',
  fault: 'I/O errors of writes and syncs of the store and its keys',
  counts: { short: 20, long: 500 },
  lacking: lackingForRecordings,
  async run(rounds) {
    const { count, dice, signal } = rounds
    const faults = Array.from({ length: count }, (_, round) => ({
      round,
      dice: diceOf(dice.between(0, 1e9)),
    }))
    const take = async (lane: string): Promise<void> => {
      const folder = join(rounds.folder, lane)
      mkdirSync(folder, { mode: 0o700 })
      for (let next = faults.shift(); next && !signal.aborted; next = faults.shift()) {
        const { round } = next
        const fail = round % VAULT_EVERY === VAULT_EVERY - 1 ? failVault : failStore
        await fail({ ...rounds, folder, dice: next.dice }, round)
      }
    }
    // Processes take their time to start: two at once.
    await Promise.all(['a', 'b'].map(take))
  },
}

/** A process whose writes fail goes on as if nothing were; the next one opens the store that it left; then the current goes. */
async function failStore({ folder, dice, planted, signal, tally }: Rounds, round: number): Promise<void> {
  const root = join(folder, 'box')
  mkdirSync(root)
  const disk = diskAt(root, isBallast)
  // Mostly odd: the log of a writer that ends in order is empty.
  const seed = 2 * dice.between(0, 1e6) + (dice.chance(0.8) ? 1 : 0)
  const write = (program: readonly (string | number)[], inject?: string) =>
    record([WRITER, root, ...program.map(String)], {
      ...{ log: join(folder, 'trace'), signal },
      ...(inject === undefined ? {} : { inject }),
    })
  const inject = faultOf(dice)
  const what = `fault ${round + 1} (${inject})`
  const failing = await write([seed, TURNS], inject)
  // SQLite does not say when it could not sync the folder of the store, which is synced once more before anything is kept there.
  const folderOfStore = dirname(storeFileIn(root))
  // A new store is made, closed and opened anew before it is ready: what fails before that is not relied on.
  const ready = failing.findIndex((step) => step.kind === 'said' && step.line === 'ready')
  const fault = failing.findIndex(
    (step, index) =>
      index > ready && step.kind === 'fault' && step.path.startsWith(root) && step.path !== folderOfStore,
  )
  tally.injected()
  const carriedOn = failing.find(
    (step, index) =>
      fault >= 0 && index > fault && step.kind === 'said' && /^(stored|settled|destroyed)/.test(step.line),
  )
  if (carriedOn?.kind === 'said') tally.harm('broken', `${what}: it went on with ${carriedOn.line}`)
  const steps = [...failing, ...(await write([2 * seed + 1, LATER_TURNS, 'storing']))]
  const recorded = { disk, steps, root, look: testStoreIn }
  const cuts = { cuts: CUTS, from: failing.length, what, tally, onCut: () => undefined }
  await cutInto(recorded, { folder, dice, planted, signal }, cuts)
}

/** Once, from some call on, or now and then. */
function faultOf(dice: Dice): string {
  const [calls, last] = dice.pick([
    ['fsync,fdatasync', 80],
    ['fsync,fdatasync', 80],
    ['pwrite64', 500],
    ['write', 60],
    ['ftruncate', 8],
  ] as const)
  const error = dice.chance(0.85) ? 'EIO' : 'EROFS'
  return `${calls}:error=${error}:when=${dice.between(1, last)}${dice.pick(['', '+', '+3'])}`
}

/** A vault whose syncs fail ends; the next one has everything that was answered for, and says what happened. */
async function failVault({ folder, dice, planted, signal, tally }: Rounds, round: number): Promise<void> {
  const trial = await brokerlessTrial(folder, NAMES)
  const config = boxConfig(trial, NAMES)
  const file = join(folder, 'config.json')
  writeFileSync(file, JSON.stringify(config))
  const when = String(dice.between(OPENING_SYNCS, OPENING_SYNCS + 44))
  const what = `fault ${round + 1} (vault, sync ${when} refused)`
  const failing = start('strace', refusingSyncs(when, [process.execPath, VAULT, file]))
  const acknowledged: string[] = []
  const stop = new AbortController()
  let next: ChildProcess | undefined
  try {
    const socketPath = join(config.runtimeDirectory, 'vault.sock')
    const hello = { version: VERSION, configSha256: config.sha256 }
    await using link = connectVault(
      { socketPath, hello, logger: keptLog() },
      AbortSignal.any([signal, stop.signal]),
    )
    const patience = setTimeout(() => stop.abort(), PATIENCE_MS)
    const deliver = async (): Promise<void> => {
      const evidence = syntheticEvidence({ ...NAMES, configSha256: config.sha256, clipBytes: 20_000 })
      if ((await link.deliver(evidence)) === 'stored') acknowledged.push(evidence.facts.evidenceId)
    }
    let underWay: Promise<void> = Promise.resolve()
    const goOn = async (): Promise<void> => {
      while (failing.exitCode === null && acknowledged.length < MOST_EVIDENCE) await (underWay = deliver())
    }
    const gone = once(failing, 'exit')
    const going = goOn().catch(() => undefined)
    const [code] = (await Promise.race([gone, going.then(() => gone), once(stop.signal, 'abort')])) as [
      unknown,
    ]
    tally.injected()
    if (code !== 1)
      tally.harm(
        'broken',
        `${what}: vault did not end, or with ${String(code)}, after ${acknowledged.length}`,
      )

    const began = performance.now()
    next = start(process.execPath, [VAULT, file])
    await underWay
    await going
    await deliver()
    tally.recovered(performance.now() - began)
    const { warnings } = await askVault(config.runtimeDirectory, { verb: 'status' })
    if (!warnings.some(({ code }) => code === 'ERR_STORE_IO'))
      tally.harm('broken', `${what}: status does not warn of it`)
    clearTimeout(patience)
  } catch (error) {
    tally.harm('broken', `${what}: ${String(error)}`)
  } finally {
    for (const child of [failing, next]) await end(child)
  }
  using store = openAsVault(config)
  const lost = acknowledged.filter((id) => !store.evidence.has(id))
  if (lost.length > 0)
    tally.harm('lost', `${what}: ${lost.length} of ${acknowledged.length}, such as ${lost[0] ?? ''}`)
  store.audit.verify()
  for (const hit of await planted.search([folder])) tally.harm('leaked', `${what}: ${hit}`)
  await rm(join(folder, 'trial'), { recursive: true })
}

function start(command: string, args: readonly string[]): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], { stdio: 'ignore' })
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
