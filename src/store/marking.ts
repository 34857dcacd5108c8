import type { EpochMs } from '../domain/frame.ts'
import type { Audit } from './audit.ts'
import { caseOfEverything, holdEverything } from './caution.ts'
import { query, type StoreDatabase } from './database.ts'
import { rowInserter } from './insert-row.ts'
import { markOf, type Standing } from './mark.ts'
import type { Space } from './space.ts'

/** How a store stands to the mark beside it, and what keeps that mark. */
export interface Marking {
  /** Rows of the audit log that the store had when it was last used, and has no more. */
  readonly missing: number
  /** Whether there may be another copy of the store that is further: rows are missing, or the mark is lost or of another store. */
  readonly isInDoubt: boolean
  /** When the mark was last written before the store was opened. */
  readonly markedAt: EpochMs
  /** Notes how far the store has come. Inside a transaction it does nothing: what is not on the disk yet may never be. */
  readonly note: () => void
  /** Notes that a command which was issued then is about to be taken: before it is, so that no old copy can hide it. */
  readonly noteCommand: (issuedAt: EpochMs) => void
}

interface Counters {
  sequence: number
  /** null where it is not known. */
  commandsUntil: number | null
}

const REASON = 'The store is not the latest: holds that were placed since may be missing.'

/** Compares a store with the mark beside it. Where the store may have been further than it is, it may have taken more commands, and holds may have been placed on anything. */
export function markingOf(
  db: StoreDatabase,
  file: string,
  { audit, space, at }: { readonly audit: Audit; readonly space: Space; readonly at: EpochMs },
): Marking {
  const mark = markOf(file)
  const read = db.prepare<[], Counters>(
    `SELECT last_sequence AS sequence,
      iif(commands_lost = 1, NULL, max(commands_until, commands_lost_until)) AS commandsUntil FROM meta`,
  )
  const counters = (): Counters => query(() => read.get()) ?? { sequence: 0, commandsUntil: null }
  const write = (commandsUntil: EpochMs | null): void => {
    const { logId, head } = audit.ends()
    const { sequence } = counters()
    const known = commandsUntil === null ? {} : { commandsUntil }
    mark.write({ sequence, auditSequence: head.sequence, logId, ...known })
  }
  const note = (): void => {
    if (!db.inTransaction) write(counters().commandsUntil)
  }

  const [before, markedAt] = [mark.read(), mark.writtenAt()]
  const { logId, head } = audit.ends()
  const isSame = before?.logId === logId
  if (isSame && before.sequence > counters().sequence)
    space.transactDeleting(() => db.prepare('UPDATE meta SET last_sequence = ?').run(before.sequence))
  const missing = isSame ? Math.max(0, before.auditSequence - head.sequence) : 0
  const isUnmarked = !isSame && head.sequence > 0
  if (missing > 0 || isUnmarked)
    space.transactDeleting(() => {
      loseCommands(db, before, isSame)
      if (caseOfEverything(db) !== undefined) return
      audit.append(
        'hold-placed',
        holdEverything(rowInserter(db), { kind: 'rollback', reason: REASON, at }),
        at,
      )
    })
  // What is missing is to be seen until something new is stored.
  if (missing === 0) note()
  return {
    missing,
    isInDoubt: missing > 0 || isUnmarked || (before !== undefined && !isSame),
    markedAt,
    note,
    noteCommand(issuedAt) {
      const { commandsUntil } = counters()
      if (commandsUntil !== null) write(Math.max(commandsUntil, Math.trunc(issuedAt)))
    },
  }
}

/** What had begun may have been brought to its end meanwhile: that is forgotten, too, and refused with the rest. */
function loseCommands(db: StoreDatabase, before: Standing | undefined, isSame: boolean): void {
  db.prepare('DELETE FROM command WHERE answer IS NULL AND outcome IS NULL').run()
  const isKnown = isSame && before?.commandsUntil !== undefined
  db.prepare(
    `UPDATE meta SET commands_lost = max(commands_lost, ?),
      commands_lost_until = max(commands_lost_until, commands_until, ?)`,
  ).run(isKnown ? 0 : 1, before?.commandsUntil ?? 0)
}
