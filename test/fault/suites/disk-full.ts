import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../../../src/channel/listener.ts'
import type { Config } from '../../../src/config/config.ts'
import { ERRORS } from '../../../src/errors.ts'
import { readDisk } from '../../../src/health/disk.ts'
import { judgeDisk } from '../../../src/health/warnings.ts'
import { purge } from '../../../src/retention/purge.ts'
import { accountSigner } from '../../../src/vault/certificates.ts'
import { createIntake } from '../../../src/vault/intake.ts'
import { boxConfig } from '../../support/box.ts'
import { DEVICE, setUpStreet, SITE, type Street } from '../../support/delivery.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { until } from '../../support/until.ts'
import { expectHarm } from '../control.ts'
import { lackingDisk, mountDisk } from '../disk.ts'
import { type Filler, fillDisk, FILLERS } from '../fillers.ts'
import type { FaultSuite, Rounds } from '../suite.ts'

/** Room for a few evidence, the log behind them and the ballast. */
const DISK = { mebibytes: 96, files: 128 }
const WITHIN = { withinMs: 15_000 }
const PLATE = 'DF55KLM'

/** The disk of the store is full, to its last byte or its last name, while evidence waits and receipts come. */
export const diskFull: FaultSuite = {
  name: 'disk-full',
  fault: 'disk filled by the store, by logs, by another program, by inodes',
  counts: { short: 20, long: 200 },
  lacking: lackingDisk,
  async run(rounds) {
    const { folder, count, signal, tally, planted } = rounds
    await using disk = await mountDisk(join(folder, 'disk'), DISK)
    await using street = await setUpStreet(join(folder, 'street'), { storeFolder: disk.folder })
    planted.plant('the plate', PLATE)
    street.startCity()
    const box = boxOf(street)
    for (let round = 0; round < count && !signal.aborted; round++) {
      const filler = FILLERS[round % FILLERS.length]
      if (!filler) return
      tally.injected()
      await fillOnce(filler, disk.folder, street, box, rounds)
    }
    const careless = {
      ...box,
      take: async (clipBytes: number) => ({ ...(await box.take(clipBytes)), outcome: 'stored' as const }),
    }
    await expectHarm(rounds, 'lost', 'a box that says it has stored what it could not', (broken) =>
      fillOnce('other', disk.folder, street, careless, broken),
    )
    street.store.audit.verify()
    // Unmounted, it is out of reach.
    for (const hit of await planted.search([disk.folder])) tally.harm('leaked', hit)
  },
}

interface Box {
  readonly config: Config
  /** Hands an evidence to the vault, as vision does. */
  take(clipBytes: number): Promise<{ readonly evidenceId: string; readonly outcome: Outcome }>
}

function boxOf({ trial, store, deviceKey, log }: Street): Box {
  const config = boxConfig(trial, { site: SITE, device: DEVICE })
  const intake = createIntake({
    ...{ config, signingKey: deviceKey, shelf: store.evidence, selftests: store.selftests },
    ...{ now: Date.now, onStored: () => undefined, logger: log },
  })
  return {
    config,
    async take(clipBytes) {
      const named = { site: SITE, device: DEVICE, configSha256: config.sha256 }
      const evidence = syntheticEvidence({ ...named, clipBytes, plateText: PLATE })
      return { evidenceId: evidence.facts.evidenceId, outcome: await intake.evidence(evidence) }
    },
  }
}

async function fillOnce(
  filler: Filler,
  disk: string,
  street: Street,
  box: Box,
  { dice, tally }: Rounds,
): Promise<void> {
  const { store } = street
  const harm = (what: string): void => tally.harm('broken', `${filler}: ${what}`)
  const acknowledged: string[] = []
  const commit = async (bytes: number): Promise<Outcome> => {
    const { evidenceId, outcome } = await box.take(bytes)
    if (outcome === 'stored') acknowledged.push(evidenceId)
    return outcome
  }
  const before = street.stored.length
  if ((await warningsOf(disk)).length > 0) harm('a warning though there is room')
  for (let n = dice.between(1, 3); n > 0; n--) {
    const outcome = await commit(dice.between(50_000, 500_000))
    if (outcome !== 'stored') harm(`there is room, and ${JSON.stringify(outcome)}`)
  }
  const filled = fillDisk(filler, disk)
  for (let n = 0; filler === 'store' && n < 50; n++) if ((await commit(3_000_000)) !== 'stored') break

  const refused = await commit(3_000_000)
  if (refused !== 'stored' && (refused.refused !== 'ERR_STORE_FULL' || !refused.again))
    harm(`new evidence is refused with ${JSON.stringify(refused)}`)
  if (refused === 'stored' && filler !== 'inodes') harm('there was room left')
  const warnings = await warningsOf(disk)
  if (!warnings.some(({ code, hint }) => code === 'ERR_DISK_FULL' && hint === ERRORS.ERR_DISK_FULL.hint))
    harm('no warning says what to do')

  // The city gets what waits, and its receipts delete, though there is no room for anything.
  {
    await using running = street.startBox()
    const isEmpty = () => store.inventory.counts().pending === 0
    await until('all is confirmed', isEmpty, WITHIN).catch(() =>
      harm(`receipts do not delete: ${running.forwarder.state().lastErrorCode ?? 'no code'}`),
    )
  }
  const fullAt = performance.now()
  filled.free()
  await purgeOnce(street, box, harm)
  let works: Outcome = 'stored'
  await until('it works again', async () => (works = await commit(100_000)) === 'stored', WITHIN).catch(() =>
    harm(`space is back, and ${JSON.stringify(works)}`),
  )
  tally.recovered(performance.now() - fullAt)
  const ballast = join(disk, 'store', 'roadveil.db.ballast')
  if (!existsSync(ballast) || statSync(ballast).size < 16 * 1024 * 1024) harm('the ballast did not come back')

  const arrived = street.stored.slice(before).map(({ evidenceId }) => evidenceId)
  const waiting = new Set(store.inventory.list().map(({ evidenceId }) => evidenceId))
  for (const id of acknowledged)
    if (!arrived.includes(id) && !waiting.has(id)) tally.harm('lost', `${filler}: ${id}`)
  for (const id of new Set(arrived))
    if (arrived.filter((each) => each === id).length > 1) tally.harm('duplicated', `${filler}: ${id}`)
}

async function warningsOf(
  disk: string,
): Promise<readonly { readonly code: string; readonly hint: string }[]> {
  const space = await readDisk(disk)
  return space ? judgeDisk(space) : []
}

/** Retention as it comes once an hour, which gives space back. */
async function purgeOnce(
  { store, deviceKey, log }: Street,
  { config }: Box,
  harm: (what: string) => void,
): Promise<void> {
  const { tombstoneDays, auditDays, logDays, certificateDays } = config.retention
  const policy = { tombstoneDays, auditDays, logDays, certificateDays }
  const sign = accountSigner(config, { signingKey: deviceKey })
  try {
    await purge(
      { store: store.expiry, policy, isClockPlausible: async () => true, sign, logger: log },
      Date.now(),
    )
  } catch (error) {
    harm(`retention: ${String(error)}`)
  }
}
