import { createHash } from 'node:crypto'
import { closeSync, constants, fdatasyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError } from '../errors.ts'
import { fileError } from './failure.ts'

/** How far a store has come, beside the database: a copy that is older, or a log that lost its end, is known by it. */
export interface Standing {
  /** Of the last evidence that was stored. */
  readonly sequence: number
  /** Of the last row of the audit log. */
  readonly auditSequence: number
  /** Which log. */
  readonly logId: string
  /**
   * No command was taken that was issued later; undefined where that is not known. Written before a command is taken: where the
   * database forgets it, this does not.
   */
  readonly commandsUntil?: EpochMs | undefined
}

/** The file of a store that says how far it has come. */
export interface Mark {
  /**
   * undefined where there is none, or neither of its two copies is whole. Where only one is, the other may have known of a later
   * command.
   */
  read(): Standing | undefined
  /** When it was last written, by the clock of then; 0 where there is none. */
  writtenAt(): EpochMs
  /**
   * On the disk when this returns. A disk that is full keeps the mark of before: it is only a second witness. Throws ERR_STORE_IO where
   * the disk fails: nobody knows then what else of it is lost.
   */
  write(standing: Standing): void
}

/** Each copy in a block of its own; they are written in turn, so that one is always whole. */
const BLOCK_BYTES = 4096
const COPIES = 2

/** @param file of the database. */
export function markOf(file: string): Mark {
  const path = `${file}.mark`
  let latest: Copy | undefined

  /** The copies that are whole, the one that was written last first. Those of an earlier version have no turn. */
  function find(): readonly Copy[] {
    const bytes = readIfThere(path)
    return Array.from({ length: COPIES }, (_, copy) => parse(bytes, copy) ?? [])
      .flat()
      .toSorted((a, b) => b.turn - a.turn || b.standing.auditSequence - a.standing.auditSequence)
  }

  return {
    read() {
      const [last, before] = find()
      return last && (before ? last.standing : { ...last.standing, commandsUntil: undefined })
    },
    writtenAt: () => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0,
    write(standing) {
      const block = Buffer.alloc(BLOCK_BYTES, ' ')
      const [before] = latest ? [latest] : find()
      const turn = (before?.turn ?? 0) + 1
      const text = JSON.stringify({ ...standing, turn })
      block.write(`${digest(text)}${text}`)
      const copy = before ? (before.copy + 1) % COPIES : 0
      try {
        const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
        try {
          writeSync(descriptor, block, 0, BLOCK_BYTES, copy * BLOCK_BYTES)
          fdatasyncSync(descriptor)
        } finally {
          closeSync(descriptor)
        }
        latest = { copy, turn, standing }
      } catch (error) {
        const coded = fileError(error, 'the mark of the store cannot be written')
        // What is stored is stored all the same.
        if (!isRoadveilError(coded, 'ERR_STORE_FULL')) throw coded
      }
    },
  }
}

interface Copy {
  /** Its place in the file. */
  readonly copy: number
  /** Rises by one with each that is written. */
  readonly turn: number
  readonly standing: Standing
}

function parse(bytes: Buffer, copy: number): Copy | undefined {
  const block = bytes
    .subarray(copy * BLOCK_BYTES, (copy + 1) * BLOCK_BYTES)
    .toString('latin1')
    .trimEnd()
  const [sum, text] = [block.slice(0, 64), block.slice(64)]
  if (text === '' || digest(text) !== sum) return undefined
  const { turn = 0, ...standing } = JSON.parse(text) as Standing & { readonly turn?: number }
  return { copy, turn, standing }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}
