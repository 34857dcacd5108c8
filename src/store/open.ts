import { existsSync } from 'node:fs'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type Audit, auditOf } from './audit.ts'
import { type Certificates, certificatesOf } from './certificate.ts'
import { caseOfEverything } from './caution.ts'
import { type Checkpoints, checkpointsOf } from './checkpoint.ts'
import { type Commands, commandsOf } from './command.ts'
import { type DatabaseFile, openDatabase, watchForDamage } from './database.ts'
import { dayKeysOf } from './day-key.ts'
import { evidenceDeletion } from './deletion.ts'
import { type EvidenceShelf, evidenceShelf } from './evidence.ts'
import { evidenceFilesOf } from './evidence-files.ts'
import { type Expiry, expiryOf, newestAtOf } from './expiry.ts'
import { storeError } from './failure.ts'
import { createFuse } from './fuse.ts'
import { type Holds, holdsOf } from './hold.ts'
import { checkIntegrity } from './integrity.ts'
import { type Inventory, inventoryOf } from './inventory.ts'
import { markingOf } from './marking.ts'
import { keepHead } from './head.ts'
import { migrate } from './migrations.ts'
import { olderEvidenceOf } from './older-evidence.ts'
import { type Outbox, outboxOf } from './outbox.ts'
import { outerLayerOf } from './outer-layer.ts'
import { type Resends, resendsOf } from './resend.ts'
import { distrust, findDamage, finishSalvage, isDamage, salvageStore } from './salvage.ts'
import { type Selftests, selftestsOf } from './selftest.ts'
import { type SetAside, setAsidesOf } from './set-aside.ts'
import { spaceOf } from './space.ts'
import { straysOf } from './strays.ts'
import { type Subjects, subjectsOf } from './subject.ts'

/** Sealed evidence until the city has it, and the record of what happened to it. Synchronous; every failure is a coded error. */
export interface Store extends Disposable {
  readonly evidence: EvidenceShelf
  readonly outbox: Outbox
  readonly holds: Holds
  readonly audit: Audit
  readonly checkpoints: Checkpoints
  readonly certificates: Certificates
  readonly commands: Commands
  readonly inventory: Inventory
  readonly expiry: Expiry
  readonly resends: Resends
  readonly selftests: Selftests
  readonly subjects: Subjects
  /** What database and evidence take of `maxSizeMiB`. */
  usedBytes(): number
  readonly damage: {
    /** Rows of the audit log that the store had when it was last used, and has no more: an old copy of it was put back. */
    readonly missingRows: number
    /** Damaged stores that were set aside, oldest first. */
    setAsides(): readonly SetAside[]
    /** The case under which everything is held, since holds may have been lost; undefined where nothing is held for that. */
    holdsEverything(): string | undefined
  }
  /** Aborts at the first write that the disk refuses. From then on every call throws ERR_STORE_IO: open the store anew. */
  readonly failed: AbortSignal
}

export interface OpenOptions extends DatabaseFile {
  /** Whose receipts settle. */
  readonly deviceId: string
  readonly logger?: Logger
  /** To save what is intact from a store that is damaged; without it, such a store is refused. */
  readonly salvage?: { readonly at: EpochMs }
  /** Called when a transaction meets damage that opening did not: the next start salvages the store. */
  readonly onDamage?: (error: RoadveilError) => void
}

/**
 * Opens the store of one box, or makes it. Only one process at a time can have it open.
 *
 * Throws what `openDatabase` does, ERR_STORE_VERSION, ERR_STORE_CORRUPT, and where it salvages what `salvageStore` throws.
 */
export function openStore(options: OpenOptions): Store {
  const { salvage, logger } = options
  finishSalvage(options.file)
  if (!salvage) return openWhole(options)
  const found = findDamage(options)
  if (found) salvageStore(options, found, { ...salvage, logger })
  try {
    return openWhole(options)
  } catch (error) {
    if (found || !isRoadveilError(error) || !isDamage(error, options)) throw error
    salvageStore(options, 'ERR_STORE_CORRUPT', { ...salvage, logger })
    return openWhole(options)
  }
}

/**
 * Keeps a copy of the first page while nobody has the database open here: closing any descriptor of a file gives the locks away
 * that the process has on it (POSIX), and SQLite's with them.
 */
function prepareHead(file: DatabaseFile): void {
  if (!existsSync(file.file)) {
    const db = openDatabase(file)
    try {
      migrate(db)
    } finally {
      db.close()
    }
  }
  keepHead(file.file, file.key)
}

function openWhole({ deviceId, logger, onDamage, salvage, ...file }: OpenOptions): Store {
  prepareHead(file)
  const db = openDatabase(file)
  try {
    migrate(db)
    checkIntegrity(db)
    const audit = auditOf(db)
    const files = evidenceFilesOf(file.file)
    const space = spaceOf(db, file.file, { files, logger })
    space.checkpoint()
    space.restoreBallast()
    const setAsides = setAsidesOf(file.file)
    const dayKeys = dayKeysOf(db, file.file, { space, setAsides })
    const layer = outerLayerOf(db, dayKeys)
    const older = olderEvidenceOf(db, { layer, files, space })
    const at = salvage?.at ?? newestAtOf(db) ?? 0
    const mark = markingOf(db, file.file, { audit, space, at })
    const strays = straysOf(db, files, logger)
    strays.findMissing()
    strays.removeDeleted()
    const isInDoubt = (): boolean =>
      mark.isInDoubt || caseOfEverything(db) !== undefined || setAsides.list().length > 0
    // What was written since the last acknowledgement.
    if (!isInDoubt()) strays.removeNewer(mark.markedAt)
    else if (mark.isInDoubt) strays.keepFrom(at)
    const certificates = certificatesOf(db, audit)
    const deletion = evidenceDeletion(db, { audit, space, files })
    const expiry = expiryOf(db, {
      ...{ audit, space, certificates, dayKeys, layer, setAsides },
      ...{ strays, older, deletion, isInDoubt },
    })
    if (mark.missing > 0) {
      const message = `the store has gone back by ${mark.missing} rows of its audit log`
      logger?.error('the store is not the latest', {
        error: new RoadveilError('ERR_STORE_ROLLED_BACK', message),
      })
    }
    const notice = (error: RoadveilError, isMuch = true): void => {
      distrust(file.file)
      if (isMuch) onDamage?.(error)
    }
    watchForDamage(db, notice)
    const outbox = outboxOf(db, { deviceId, audit, space, layer, files, older, deletion })
    const { blown: failed, guard } = createFuse()
    const afterwards = (work: () => void): void => {
      const guarded = guard({ work })
      setImmediate(() => {
        if (!db.open || failed.aborted) return
        try {
          guarded.work()
        } catch {
          // The fuse or `onDamage` has told of it; what was stored stands in the log.
        }
      })
    }
    return {
      evidence: guard(evidenceShelf(db, { audit, space, layer, files, marked: mark.note, afterwards })),
      outbox: guard(distrusting(outbox, notice)),
      holds: guard(holdsOf(db, audit, mark.note)),
      audit: guard(audit),
      checkpoints: guard(checkpointsOf(db, audit)),
      certificates: guard(certificates),
      commands: guard(commandsOf(db, audit, mark)),
      inventory: guard(inventoryOf(db)),
      usedBytes: () => space.usedBytes(),
      expiry: guard(expiry),
      subjects: guard(subjectsOf(db, { audit, space, certificates, expiry, deletion, marked: mark.note })),
      resends: guard(resendsOf(db)),
      selftests: guard(selftestsOf(db, audit)),
      failed,
      damage: {
        missingRows: mark.missing,
        setAsides: () => setAsides.list(),
        holdsEverything: () => caseOfEverything(db),
      },
      [Symbol.dispose]: () => void db.close(),
    }
  } catch (error) {
    db.close()
    throw storeError(error)
  }
}

/** Of so much evidence that cannot be read, more is damaged than its own pages. */
const MUCH = 3

/** Evidence that cannot be read is set aside by the next start, and keeps no other from being delivered until then. */
function distrusting(outbox: Outbox, onDamage: (error: RoadveilError, isMuch: boolean) => void): Outbox {
  const unreadable = new Set<string>()
  const watched =
    <R extends unknown[], T>(read: (evidenceId: string, ...rest: R) => T) =>
    (evidenceId: string, ...rest: R): T => {
      try {
        return read(evidenceId, ...rest)
      } catch (error) {
        if (isRoadveilError(error, 'ERR_STORE_CORRUPT'))
          onDamage(error, unreadable.add(evidenceId).size >= MUCH)
        throw error
      }
    }
  return {
    ...outbox,
    manifest: watched((id) => outbox.manifest(id)),
    chunk: watched((id, index: number) => outbox.chunk(id, index)),
  }
}

/**
 * Opens only the audit log of a store, and leaves the rest of it alone.
 *
 * Throws what `openStore` does.
 */
export function openAudit(file: DatabaseFile): Pick<Store, 'audit' | 'checkpoints'> & Disposable {
  const db = openDatabase(file)
  try {
    migrate(db)
    const audit = auditOf(db)
    return { audit, checkpoints: checkpointsOf(db, audit), [Symbol.dispose]: () => void db.close() }
  } catch (error) {
    db.close()
    throw storeError(error)
  }
}
