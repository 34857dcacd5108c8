import { dirname } from 'node:path'
import type { VaultStatus } from '../channel/control-messages.ts'
import type { Config } from '../config/config.ts'
import type { Forwarder } from '../delivery/forwarder.ts'
import { loadModelSource } from '../models/source.ts'
import { type ModelState, modelStates } from '../models/states.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import { readExpiry } from '../health/certificate.ts'
import { readClockState } from '../health/clock.ts'
import { readDisk } from '../health/disk.ts'
import { DISCARDED_DAYS, judgeCondition } from '../health/warnings.ts'
import type { IsClockPlausible } from '../retention/clock.ts'
import type { Store } from '../store/open.ts'
import { VERSION } from '../version.ts'
import type { CommandCounts } from './commands.ts'
import type { KeyWarning } from './keys.ts'
import type { VaultOutbox } from './outbox.ts'
import type { Purging } from './purging.ts'
import { readStoreFailure } from './store-failure.ts'
import type { VisionBoard } from './vision-board.ts'

const DAY_MS = 86_400_000

export interface StatusDeps {
  readonly config: Config
  readonly store: Store
  readonly board: VisionBoard
  readonly outbox: VaultOutbox
  readonly forwarder: Forwarder
  readonly purging: Purging
  readonly commands: { counts(): CommandCounts }
  readonly startedAt: EpochMs
  /** How the database key lies on the disk, where that is a fault. */
  readonly keyWarning: KeyWarning | undefined
  /** What the check of the audit log at the start has found. */
  readonly auditFault: string | undefined
  readonly isClockPlausible: IsClockPlausible
  /** The host's clock. */
  readonly now: () => EpochMs
}

/** Everything that can be said about the running box, warnings included. */
export async function readStatus(deps: StatusDeps): Promise<VaultStatus> {
  const { config, store, board, outbox, forwarder, purging, commands, now } = deps
  const counts = store.inventory.counts()
  const setAside = store.inventory.setAside()
  const delivery = forwarder.state()
  const clock = await readClockState()
  const at = now()
  const discarded = store.inventory.discarded(at - DISCARDED_DAYS * DAY_MS)
  const cameras = board.latest?.cameras ?? []
  const setAsides = store.damage.setAsides()
  const maxBytes = config.store.maxSizeMiB * 1024 * 1024
  const certificates = [config.broker.certificateFile, config.broker.caFile].map(async (file) => ({
    file,
    expiresAt: await readExpiry(file),
  }))
  const warnings = judgeCondition(
    {
      vision: { connected: board.vision !== undefined },
      cameras,
      selftest: board.latest?.selftest,
      models: await readModels(),
      unverifiedRedactions: discarded.get('ERR_REDACTION_UNVERIFIED') ?? 0,
      uncheckedRedactions: discarded.get('ERR_REDACTION_UNCHECKED') ?? 0,
      broker: { connected: delivery.connected, code: delivery.lastErrorCode ?? null },
      outbox: { count: counts.pending, oldestAt: counts.oldestPendingAt, setAside },
      store: {
        ...{ bytes: store.usedBytes(), maxBytes, damaged: counts.damaged, keyless: counts.keyless },
        missingRows: store.damage.missingRows,
        holdsEverything: store.damage.holdsEverything(),
        failedAt: await readStoreFailure(config),
        setAsides,
      },
      disk: await readDisk(dirname(config.store.file)),
      auditFault: deps.auditFault,
      key: deps.keyWarning,
      clock,
      clockPlausible: await deps.isClockPlausible(at),
      certificates: await Promise.all(certificates),
    },
    at,
  )
  return {
    site: config.site.id,
    device: config.device.id,
    processes: {
      vault: { version: VERSION, pid: process.pid, startedAt: iso(deps.startedAt) },
      vision: board.vision
        ? { version: board.vision.version, connectedAt: iso(board.vision.connectedAt) }
        : null,
    },
    cameras,
    counts: board.latest?.counts ?? null,
    selftest: board.latest?.selftest ?? null,
    store: {
      outbox: counts.pending,
      oldestAt: isoOrNull(counts.oldestPendingAt),
      held: counts.holds,
      tombstones: counts.tombstones,
      bytes: store.usedBytes(),
      maxBytes,
      setAside: setAsides.map(({ name, at, bytes, saved, lost, unnamed, held }) => ({
        ...{ name, at, bytes, saved, lost, unnamed, held },
      })),
    },
    delivery: {
      connected: delivery.connected,
      delivered: delivery.settled,
      setAside: setAside.reduce((sum, { count }) => sum + count, 0),
      refusedReceipts: delivery.refusedReceipts,
      lastReceiptAt: isoOrNull(outbox.lastReceiptAt),
      code: delivery.lastErrorCode ?? null,
    },
    commands: commands.counts(),
    retention: {
      lastRunAt: isoOrNull(purging.lastRunAt()),
      nextRunAt: isoOrNull(purging.nextRunAt()),
    },
    clock,
    warnings,
  }
}

/** A damaged release must not keep the box from saying how it is. */
async function readModels(): Promise<readonly ModelState[] | undefined> {
  return loadModelSource()
    .then(modelStates)
    .catch(() => undefined)
}

function isoOrNull(at: EpochMs | null | undefined): string | null {
  return at === null || at === undefined ? null : iso(at)
}
