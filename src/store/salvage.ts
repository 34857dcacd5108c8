import Database from 'better-sqlite3-multiple-ciphers'
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type EpochMs, iso } from '../domain/frame.ts'
import { type ErrorCode, isRoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { auditOf } from './audit.ts'
import { carve } from './carved.ts'
import { BY } from './caution.ts'
import {
  type DatabaseFile,
  leaveWal,
  LOCK_WAIT_MS,
  openDatabase,
  type StoreDatabase,
  transact,
  unlock,
} from './database.ts'
import { dayKeysOf } from './day-key.ts'
import { evidenceFilesOf, fileNameOf } from './evidence-files.ts'
import { fileError, storeError } from './failure.ts'
import { isHeadless, isLogDamaged } from './head.ts'
import { rowInserter } from './insert-row.ts'
import { markOf } from './mark.ts'
import { migrate } from './migrations.ts'
import { outerLayerOf } from './outer-layer.ts'
import { leapOver, numberOf, saveAudit, type SavedAudit } from './saved-audit.ts'
import { saveCommands } from './saved-commands.ts'
import { buryLost, type LostEvidence, saveEvidence } from './saved-evidence.ts'
import { type SavedHolds, saveHolds } from './saved-holds.ts'
import { explain, moveAside, openSetAside, setAsidesOf } from './set-aside.ts'
import { spaceOf } from './space.ts'
import { spareKeeper } from './spare.ts'
import { sync } from './sync.ts'

/** Why the store must be looked through before it can be used; undefined where nothing says so. Opening it may still tell otherwise. */
export function findDamage({ file }: Pick<DatabaseFile, 'file'>): ErrorCode | undefined {
  // Moved away by a person: what follows is a new store.
  if (!existsSync(file)) rmSync(distrustFile(file), { force: true })
  return existsSync(distrustFile(file)) || isLogDamaged(file) || isEmptied(file)
    ? 'ERR_STORE_CORRUPT'
    : undefined
}

/** True where an error of opening a store means that the file is damaged. */
export function isDamage(error: unknown, { file, key }: Pick<DatabaseFile, 'file' | 'key'>): boolean {
  if (isRoadveilError(error, 'ERR_STORE_CORRUPT')) return true
  // The same error tells of a wrong key.
  return isRoadveilError(error, 'ERR_STORE_KEY') && isHeadless(file, key)
}

/** Notes that a store was found damaged: the next start looks through it. */
export function distrust(file: string): void {
  try {
    writeFileSync(distrustFile(file), '', { mode: 0o600 })
  } catch (error) {
    throw fileError(error, 'it could not be noted that the store is damaged')
  }
}

/**
 * Makes a new store of what is intact in a damaged one, and sets the damaged one aside. Whatever interrupts this, either the damaged
 * store is in its place, and this is done again, or the new one is.
 *
 * Throws ERR_STORE_FULL where there is no room for the new one, ERR_STORE_IO.
 */
export function salvageStore(
  store: DatabaseFile,
  code: ErrorCode,
  { at, logger }: { readonly at: EpochMs; readonly logger?: Logger | undefined },
): void {
  const { file, key } = store
  const copy = `${file}.salvage`
  try {
    refuseLocked(file, key)
    logger?.error('the store is damaged: what is intact is saved into a new one', { code })
    distrust(file)
    for (const leftover of [copy, `${copy}-wal`, `${file}.ballast`]) rmSync(leftover, { force: true })
    const folder = openSetAside(file, at)
    const to = openDatabase({ ...store, file: copy })
    try {
      migrate(to)
      const { saved, lost, holds, unnamed } = saveAll(store, to, { at, folder, code })
      leaveWal(to)
      explain(folder, {
        ...{ at: iso(at), code, saved, unnamed, held: holds.onLost.size > 0 },
        lost: lost.filter((each) => isLoss(each, holds)).map(({ evidenceId }) => evidenceId),
        lostUnderHold: lost.flatMap(({ sequence, evidenceId }) => {
          const cases = holds.onLost.get(sequence)
          return cases ? [{ evidenceId, cases }] : []
        }),
        dayKeyIds: [...new Set(lost.flatMap(({ dayKeyId }) => dayKeyId ?? []))],
      })
      logger?.warn('the store is salvaged', { count: saved, missing: lost.length })
    } finally {
      to.close()
    }
    sync(copy)
    // From here on it is done: an interruption only leaves the moving to the next start.
    renameSync(copy, salvagedFile(file))
    sync(dirname(file))
    finishSalvage(file)
  } catch (error) {
    throw fileError(error, 'the damaged store could not be salvaged')
  }
}

/** Puts a finished new store in the place of the damaged one, where there is one. */
export function finishSalvage(file: string): void {
  if (!existsSync(salvagedFile(file))) return
  moveAside(file)
  for (const leftover of ['-wal', '-shm', '-journal', '.head']) rmSync(`${file}${leftover}`, { force: true })
  renameSync(salvagedFile(file), file)
  rmSync(distrustFile(file), { force: true })
  sync(dirname(file))
}

/** What a salvage could save, and what not. */
interface Salvaged {
  readonly saved: number
  readonly lost: readonly LostEvidence[]
  readonly holds: SavedHolds
  /** Evidence that may have been there, and that nothing names any more, at most. */
  readonly unnamed: number
}

/** What the city has is no loss, unless it was to stay here all the same. */
function isLoss({ delivered, sequence }: LostEvidence, { onLost }: SavedHolds): boolean {
  return !delivered || onLost.has(sequence)
}

/** Copies everything and records it; the counters go on behind whatever the damaged store may have given out. */
function saveAll(
  { file, key }: DatabaseFile,
  to: StoreDatabase,
  { at, code, folder }: { readonly at: EpochMs; readonly code: ErrorCode; readonly folder: string },
): Salvaged {
  const from = carve(file, key)
  const insert = rowInserter(to)
  const standing = markOf(file).read()
  const saved = transact(to, () => {
    for (const table of COPIED) for (const row of from.rows(table)) insert(table, row)
    const audit = saveAudit(from, insert, { standing, at })
    saveCommands(from, to, { insert, audit, standing })
    return audit
  })
  const tombstones = from.rows('tombstone').map((row) => numberOf(row['sequence']))
  const named = saved.rows.map(({ details }) => Number(details['sequence'] ?? 0))
  const told = Math.max(numberOf(saved.meta?.['last_sequence']), standing?.sequence ?? 0)
  const greatest = Math.max(
    told,
    ...[tombstones.at(-1) ?? 0],
    named.reduce((a, b) => Math.max(a, b), 0),
  )
  const files = evidenceFilesOf(file)
  const layer = outerLayerOf(
    to,
    dayKeysOf(to, file, { space: spaceOf(to, file, { files }), setAsides: setAsidesOf(file) }),
  )
  const evidence = saveEvidence(from, to, {
    ...{ insert, layer, files, at, audit: saved.rows },
    buried: new Set(tombstones),
  })
  // What nothing names stays where it is: another copy of the database may know it.
  const lostFiles = new Set(evidence.lost.map(({ evidenceId }) => fileNameOf(evidenceId)))
  for (const name of files.names()) if (lostFiles.has(name)) files.moveTo(folder, name)
  const { lost } = evidence
  const keepSpare = spareKeeper(to)
  const there = to.prepare<[], number>('SELECT sequence FROM evidence').pluck().all()
  const accounted = new Set([...there, ...lost.map(({ sequence }) => sequence), ...tombstones, ...named])
  accounted.delete(0)
  // A log that is whole names everything.
  const unnamed = saved.lost === '' ? 0 : greatest - accounted.size
  const holds = transact(to, () => {
    const holds = saveHolds(from, to, { insert, audit: saved, lost, at })
    buryLost(insert, lost, { held: (sequence) => holds.onLost.has(sequence), at })
    for (const sequence of there) keepSpare(sequence)
    setCounters(to, saved, leapOver(greatest, (saved.meta ?? standing) !== undefined, at))
    record(to, saved, { salvaged: { ...evidence, holds, unnamed }, code, name: basename(folder), at })
    return holds
  })
  return { ...evidence, holds, unnamed }
}

/** Tables of which each row stands for itself. */
const COPIED = ['day_key', 'tombstone', 'certificate', 'schedule_run'] as const

function setCounters(
  to: StoreDatabase,
  { head, anchor, logId, meta }: SavedAudit,
  lastSequence: number,
): void {
  to.prepare('UPDATE meta SET last_sequence = ?').run(lastSequence)
  to.prepare('UPDATE meta SET audit_head_sequence = ?, audit_head_hash = ?').run(head.sequence, head.hash)
  to.prepare('UPDATE meta SET audit_anchor_sequence = ?, audit_anchor_hash = ?').run(
    anchor.sequence,
    anchor.hash,
  )
  to.prepare('UPDATE meta SET certified_through = ?').run(meta?.['certified_through'] ?? head.sequence)
  to.prepare('UPDATE meta SET selftest_passed_by = ?').run(meta?.['selftest_passed_by'] ?? null)
  if (logId !== undefined) to.prepare('UPDATE meta SET audit_log_id = ?').run(logId)
}

/**
 * The log says itself what damage took from it. No checkpoint is copied: the city is to see that the log does not go on from what it
 * witnessed.
 */
function record(
  to: StoreDatabase,
  { rows, anchor, lost }: SavedAudit,
  { salvaged, code, name, at }: { salvaged: Salvaged; code: ErrorCode; name: string; at: EpochMs },
): void {
  const audit = auditOf(to)
  const pruned = rows.findLast(({ kind }) => kind === 'audit-pruned')?.details
  if (anchor.sequence > 0 && pruned?.['through'] !== anchor.sequence)
    audit.append('audit-pruned', { through: anchor.sequence, hash: anchor.hash }, at)
  const { saved, holds, unnamed } = salvaged
  const counts = { saved, lost: salvaged.lost.filter((each) => isLoss(each, holds)).length, unnamed }
  audit.append('store-salvaged', { code, setAside: name, ...counts, lostRows: lost }, at)
  for (const each of salvaged.lost) {
    const { evidenceId, sequence } = each
    const cases = holds.onLost.get(sequence)
    const held = cases ? { held: 1, ...(cases.length > 0 && { cases: cases.join(', ') }) } : {}
    // Certificates count what was deleted, and nobody deleted what a hold was on.
    const kind = isLoss(each, holds) ? 'evidence-lost' : 'evidence-deleted'
    audit.append(kind, { evidenceId, sequence, ...held }, at)
  }
  const reason = 'the evidence was lost with a damaged store'
  for (const scope of holds.ended) audit.append('hold-lost', { ...scope, reason, by: BY }, at)
  for (const hold of holds.placed) audit.append('hold-placed', hold, at)
}

/** A log that another vault is writing looks damaged while it does. Throws ERR_STORE_LOCKED. */
function refuseLocked(file: string, key: Buffer): void {
  const db = new Database(file, { readonly: true, timeout: LOCK_WAIT_MS })
  try {
    unlock(db, key)
    db.prepare('SELECT 1 FROM sqlite_schema').get()
  } catch (error) {
    const coded = storeError(error)
    if (isRoadveilError(coded, 'ERR_STORE_LOCKED')) throw coded
  } finally {
    db.close()
  }
}

/** A database of which nothing is left would pass for a new one. */
function isEmptied(file: string): boolean {
  return (
    existsSync(file) &&
    statSync(file).size === 0 &&
    (existsSync(`${file}.head`) || existsSync(`${file}.mark`))
  )
}

const distrustFile = (file: string): string => `${file}.distrusted`
const salvagedFile = (file: string): string => `${file}.salvaged`
