import { type EpochMs, iso } from '../domain/frame.ts'
import { COMMAND_CLOCK_TOLERANCE_MS } from '../protocol/limits.ts'
import type { Audit } from './audit.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import type { Marking } from './marking.ts'

/** Which command, and until when it may be repeated. */
export interface CommandKey {
  readonly commandId: string
  /** Of the signed command, lower-case hex. */
  readonly sha256: string
  /** On the city's clock. */
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
}

/** A command that was taken. */
export interface TakenCommand {
  readonly sha256: string
  /** The signed answer; null while it is being done. */
  readonly answer: Uint8Array | null
  /** Which signing key the box had when it began. */
  readonly keyIdBefore: string | null
  /** What it came to, as JSON, where damage to the store took its answer. */
  readonly outcome: string | null
}

/** An answer for the city. */
export interface StoredAnswer {
  readonly commandId: string
  readonly envelope: Uint8Array
}

/** The commands that were taken, so that none is done twice, and their answers until the broker has them. */
export interface Commands {
  find(commandId: string): TakenCommand | undefined
  /**
   * True when a command that expires then may have been done and forgotten: what expired is forgotten as new ones come, and a clock
   * that went ahead and back must not bring any of it back.
   */
  isForgotten(expiresAt: EpochMs): boolean
  /** True when a command that was issued then may have been taken, and damage or an old copy of the store took the memory of it. */
  isLost(issuedAt: EpochMs): boolean
  /**
   * Takes the clock's word for it until when commands may have been lost, where nothing else says so; to be called with a clock that is
   * believed, at the start and before `isLost`. What a clock said that has turned out to be ahead does not count any more.
   */
  settleLoss(at: EpochMs): void
  /** Notes that a command is about to be done whose effects do not fit into one transaction. */
  begin(command: CommandKey, keyIdBefore: string, at: EpochMs): void
  /**
   * Does a command and keeps its answer, all in one transaction: both are on the disk when this returns, or nothing of it. Forgets
   * commands that have expired.
   */
  conclude(command: CommandKey, work: () => Uint8Array, at: EpochMs): void
  /** Keeps the answer inside the transaction of what was done. */
  keep(command: CommandKey, answer: Uint8Array): void
  /** Keeps an answer that was signed anew. */
  renew(command: CommandKey, answer: Uint8Array): void
  answer(commandId: string): StoredAnswer | undefined
  /** Answers that the broker has not taken, at most `limit`. */
  unsent(limit: number): readonly StoredAnswer[]
  markSent(commandId: string): void
}

interface Memory {
  lost: number
  lostUntil: number
  newestAt: number | null
}

export function commandsOf(db: StoreDatabase, audit: Audit, marking: Marking): Commands {
  const find = db.prepare<[string], TakenCommand>(
    'SELECT sha256, answer, key_id_before AS keyIdBefore, outcome FROM command WHERE command_id = ?',
  )
  const begin = db.prepare<[string, string, number, string]>(
    'INSERT INTO command (command_id, sha256, expires_at, key_id_before) VALUES (?, ?, ?, ?)',
  )
  const keep = db.prepare<[string, string, number, Uint8Array]>(
    `INSERT INTO command (command_id, sha256, expires_at, answer, unsent) VALUES (?, ?, ?, ?, 1)
     ON CONFLICT (command_id) DO UPDATE SET answer = excluded.answer, unsent = 1`,
  )
  const forgotten = db.prepare<[], { through: number }>('SELECT commands_forgotten AS through FROM meta')
  const setTaken = db.prepare<[number]>('UPDATE meta SET commands_until = max(commands_until, ?)')
  const readMemory = db.prepare<[], Memory>(
    `SELECT commands_lost AS lost, commands_lost_until AS lostUntil, (SELECT max(at) FROM audit) AS newestAt FROM meta`,
  )
  const settleLoss = db.prepare<[number]>('UPDATE meta SET commands_lost = 0, commands_lost_until = ?')
  const setForgotten = db.prepare<[number]>(
    `UPDATE meta SET commands_forgotten = max(commands_forgotten,
      coalesce((SELECT max(expires_at) FROM command WHERE expires_at < ? AND unsent = 0), 0))`,
  )
  const forget = db.prepare<[number]>('DELETE FROM command WHERE expires_at < ? AND unsent = 0')
  const answer = db.prepare<[string], StoredAnswer>(
    'SELECT command_id AS commandId, answer AS envelope FROM command WHERE command_id = ? AND answer IS NOT NULL',
  )
  const unsent = db.prepare<[number], StoredAnswer>(
    'SELECT command_id AS commandId, answer AS envelope FROM command WHERE unsent = 1 LIMIT ?',
  )
  const markSent = db.prepare<[string]>('UPDATE command SET unsent = 0 WHERE command_id = ? AND unsent = 1')

  function forgetExpired(at: EpochMs): void {
    setForgotten.run(Math.trunc(at))
    forget.run(Math.trunc(at))
  }

  const commands: Commands = {
    find: (commandId) => query(() => find.get(commandId)),
    isForgotten: (expiresAt) => expiresAt <= (query(() => forgotten.get())?.through ?? 0),
    isLost: (issuedAt) => issuedAt <= (query(() => readMemory.get())?.lostUntil ?? 0),
    settleLoss(at) {
      const { lost, lostUntil, newestAt } = query(() => readMemory.get()) ?? NOTHING_LOST
      const latest = Math.trunc(at) + COMMAND_CLOCK_TOLERANCE_MS
      // It is believed although something was recorded later: that was the clock which was wrong.
      const wasAhead = (newestAt ?? 0) > latest
      if (lost === 0 && !(wasAhead && lostUntil > latest)) return
      transact(db, () => settleLoss.run(wasAhead ? latest : Math.max(latest, lostUntil)))
      marking.note()
    },
    begin(command, keyIdBefore, at) {
      const { commandId, sha256, issuedAt, expiresAt } = command
      marking.noteCommand(issuedAt)
      transact(db, () => {
        forgetExpired(at)
        setTaken.run(Math.trunc(issuedAt))
        begin.run(commandId, sha256, Math.trunc(expiresAt), keyIdBefore)
        audit.append('command-begun', { commandId, sha256, keyIdBefore, ...timesOf(command) }, at)
      })
      marking.note()
    },
    conclude(command, work, at) {
      marking.noteCommand(command.issuedAt)
      transact(db, () => {
        forgetExpired(at)
        commands.keep(command, work())
      })
      marking.note()
    },
    keep({ commandId, sha256, issuedAt, expiresAt }, envelope) {
      setTaken.run(Math.trunc(issuedAt))
      keep.run(commandId, sha256, Math.trunc(expiresAt), envelope)
    },
    renew: (command, envelope) => {
      transact(db, () => commands.keep(command, envelope))
    },
    answer: (commandId) => query(() => answer.get(commandId)),
    unsent: (limit) => query(() => unsent.all(limit)),
    markSent: (commandId) => {
      transact(db, () => markSent.run(commandId))
    },
  }
  return commands
}

/** The times of a command as the audit log keeps them: what is needed to know it again after the table of commands was lost. */
export function timesOf({ issuedAt, expiresAt }: CommandKey): {
  readonly issuedAt: string
  readonly expiresAt: string
} {
  return { issuedAt: iso(issuedAt), expiresAt: iso(expiresAt) }
}

const NOTHING_LOST: Memory = { lost: 0, lostUntil: 0, newestAt: null }
