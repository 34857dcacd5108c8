import type { EpochMs } from '../domain/frame.ts'
import { query, type StoreDatabase, transact } from './database.ts'

/** Which command, and until when it may be repeated. */
export interface CommandKey {
  readonly commandId: string
  /** Of the signed command, lower-case hex. */
  readonly sha256: string
  readonly expiresAt: EpochMs
}

/** A command that was taken. */
export interface TakenCommand {
  readonly sha256: string
  /** The signed answer; null while it is being done. */
  readonly answer: Uint8Array | null
  /** Which signing key the box had when it began. */
  readonly keyIdBefore: string | null
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
  /** Notes that a command is about to be done whose effects do not fit into one transaction. */
  begin(command: CommandKey, keyIdBefore: string, at: EpochMs): void
  /**
   * Does a command and keeps its answer, all in one transaction: both are on the disk when this returns, or nothing of it. Forgets
   * commands that have expired.
   */
  conclude(command: CommandKey, work: () => Uint8Array, at: EpochMs): void
  /** Keeps the answer inside the transaction of what was done. */
  keep(command: CommandKey, answer: Uint8Array): void
  answer(commandId: string): StoredAnswer | undefined
  /** Answers that the broker has not taken, at most `limit`. */
  unsent(limit: number): readonly StoredAnswer[]
  markSent(commandId: string): void
}

export function commandsOf(db: StoreDatabase): Commands {
  const find = db.prepare<[string], TakenCommand>(
    'SELECT sha256, answer, key_id_before AS keyIdBefore FROM command WHERE command_id = ?',
  )
  const begin = db.prepare<[string, string, number, string]>(
    'INSERT INTO command (command_id, sha256, expires_at, key_id_before) VALUES (?, ?, ?, ?)',
  )
  const keep = db.prepare<[string, string, number, Uint8Array]>(
    `INSERT INTO command (command_id, sha256, expires_at, answer, unsent) VALUES (?, ?, ?, ?, 1)
     ON CONFLICT (command_id) DO UPDATE SET answer = excluded.answer, unsent = 1`,
  )
  const forgotten = db.prepare<[], { through: number }>('SELECT commands_forgotten AS through FROM meta')
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
    begin({ commandId, sha256, expiresAt }, keyIdBefore, at) {
      transact(db, () => {
        forgetExpired(at)
        begin.run(commandId, sha256, Math.trunc(expiresAt), keyIdBefore)
      })
    },
    conclude(command, work, at) {
      transact(db, () => {
        forgetExpired(at)
        commands.keep(command, work())
      })
    },
    keep({ commandId, sha256, expiresAt }, envelope) {
      keep.run(commandId, sha256, Math.trunc(expiresAt), envelope)
    },
    answer: (commandId) => query(() => answer.get(commandId)),
    unsent: (limit) => query(() => unsent.all(limit)),
    markSent: (commandId) => {
      transact(db, () => markSent.run(commandId))
    },
  }
  return commands
}
