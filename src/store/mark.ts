import { createHash } from 'node:crypto'
import { closeSync, constants, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'
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
}

/** The file of a store that says how far it has come. */
export interface Mark {
  /** undefined where there is none, or neither of its two copies is whole. */
  read(): Standing | undefined
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
  let latest: number | undefined

  /** The copy that says the most, and which it is. */
  function find(): { readonly copy: number; readonly standing: Standing | undefined } {
    const bytes = readIfThere(path)
    const copies = Array.from({ length: COPIES }, (_, copy) => ({ copy, standing: parse(bytes, copy) }))
    const [best = { copy: 0, standing: undefined }] = copies.toSorted(
      (a, b) => (b.standing?.auditSequence ?? -1) - (a.standing?.auditSequence ?? -1),
    )
    return best
  }

  return {
    read: () => find().standing,
    write(standing) {
      const block = Buffer.alloc(BLOCK_BYTES, ' ')
      const text = JSON.stringify(standing)
      block.write(`${digest(text)}${text}`)
      const copy = ((latest ?? find().copy) + 1) % COPIES
      try {
        const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
        try {
          writeSync(descriptor, block, 0, BLOCK_BYTES, copy * BLOCK_BYTES)
          fdatasyncSync(descriptor)
        } finally {
          closeSync(descriptor)
        }
        latest = copy
      } catch (error) {
        const coded = fileError(error, 'the mark of the store cannot be written')
        // What is stored is stored all the same.
        if (!isRoadveilError(coded, 'ERR_STORE_FULL')) throw coded
      }
    },
  }
}

function parse(bytes: Buffer, copy: number): Standing | undefined {
  const block = bytes
    .subarray(copy * BLOCK_BYTES, (copy + 1) * BLOCK_BYTES)
    .toString('latin1')
    .trimEnd()
  const [sum, text] = [block.slice(0, 64), block.slice(64)]
  return text !== '' && digest(text) === sum ? (JSON.parse(text) as Standing) : undefined
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
