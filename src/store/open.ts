import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type Audit, auditOf } from './audit.ts'
import { type Certificates, certificatesOf } from './certificate.ts'
import { type Checkpoints, checkpointsOf } from './checkpoint.ts'
import { type DatabaseFile, openDatabase, type StoreDatabase } from './database.ts'
import { dayKeysOf } from './day-key.ts'
import { evidenceDeletion } from './deletion.ts'
import { type EvidenceShelf, evidenceShelf } from './evidence.ts'
import { type Expiry, expiryOf } from './expiry.ts'
import { storeError } from './failure.ts'
import { createFuse } from './fuse.ts'
import { type Holds, holdsOf } from './hold.ts'
import { type Inventory, inventoryOf } from './inventory.ts'
import { migrate } from './migrations.ts'
import { type Outbox, outboxOf } from './outbox.ts'
import { outerLayerOf } from './outer-layer.ts'
import { type Selftests, selftestsOf } from './selftest.ts'
import { spaceOf } from './space.ts'
import { type Subjects, subjectsOf } from './subject.ts'

/** Sealed evidence until the city has it, and the record of what happened to it. Synchronous; every failure is a coded error. */
export interface Store extends Disposable {
  readonly evidence: EvidenceShelf
  readonly outbox: Outbox
  readonly holds: Holds
  readonly audit: Audit
  readonly checkpoints: Checkpoints
  readonly certificates: Certificates
  readonly inventory: Inventory
  readonly expiry: Expiry
  readonly selftests: Selftests
  readonly subjects: Subjects
  /** Aborts at the first write that the disk refuses. From then on every call throws ERR_STORE_IO: open the store anew. */
  readonly failed: AbortSignal
}

/**
 * Opens the store of one box, or makes it. Only one process at a time can have it open.
 *
 * Throws what `openDatabase` does, ERR_STORE_VERSION, ERR_STORE_CORRUPT.
 */
export function openStore({
  deviceId,
  logger,
  ...file
}: DatabaseFile & {
  /** Whose receipts settle. */
  readonly deviceId: string
  readonly logger?: Logger
}): Store {
  const db = openDatabase(file)
  try {
    migrate(db)
    checkIntegrity(db)
    const audit = auditOf(db)
    const space = spaceOf(db, file.file, logger)
    space.restoreBallast()
    const dayKeys = dayKeysOf(db, file.file, space)
    const layer = outerLayerOf(db, dayKeys)
    const certificates = certificatesOf(db, audit)
    const deleteEvidence = evidenceDeletion(db, audit)
    const expiry = expiryOf(db, { audit, space, certificates, dayKeys, layer, deleteEvidence })
    const { blown: failed, guard } = createFuse()
    return {
      evidence: guard(evidenceShelf(db, { audit, space, layer })),
      outbox: guard(outboxOf(db, { deviceId, audit, space, layer, deleteEvidence })),
      holds: guard(holdsOf(db, audit)),
      audit: guard(audit),
      checkpoints: guard(checkpointsOf(db, audit)),
      certificates: guard(certificates),
      inventory: guard(inventoryOf(db)),
      expiry: guard(expiry),
      subjects: guard(subjectsOf(db, { audit, space, certificates, expiry, deleteEvidence })),
      selftests: guard(selftestsOf(db, audit)),
      failed,
      [Symbol.dispose]: () => void db.close(),
    }
  } catch (error) {
    db.close()
    throw storeError(error)
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

const TABLES = [
  'evidence',
  'evidence_key',
  'day_key',
  'outbox',
  'legal_hold',
  'tombstone',
  'audit',
  'checkpoint',
  'certificate',
  'schedule_run',
  'meta',
]

/**
 * Checks every table but the chunks, which may have gigabytes: the cipher authenticates each of their pages when it is read.
 */
function checkIntegrity(db: StoreDatabase): void {
  for (const table of TABLES) {
    const found = db.pragma(`quick_check(${table})`, { simple: true })
    if (found !== 'ok') throw new RoadveilError('ERR_STORE_CORRUPT', `the table ${table} is damaged`)
  }
}
