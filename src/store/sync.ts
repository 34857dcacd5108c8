import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { removeLeftBeside, temporaryBeside } from '../temporary.ts'

const PIECE_BYTES = 64 * 1024

/** Brings what was written to a file, or the names in a folder, to the disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Writes a file's own bytes over themselves, where there is one, and brings them to the disk: a sync that failed once does not try again. */
export function rewrite(file: string): void {
  if (!existsSync(file)) return
  const piece = Buffer.alloc(PIECE_BYTES)
  const descriptor = openSync(file, 'r+')
  try {
    for (let at = 0, read = 0; (read = readSync(descriptor, piece, 0, PIECE_BYTES, at)) > 0; at += read) {
      for (let written = 0; written < read;)
        written += writeSync(descriptor, piece, written, read - written, at + written)
    }
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Puts a file of mode 0600 in the place of another, if there is one: at every moment the name holds the old bytes or the new ones, whole.
 * Two processes may do so at once: the copy of the first page is made before the lock on the database is.
 */
export function replaceFile(file: string, bytes: Uint8Array): void {
  const temporary = temporaryBeside(file)
  try {
    const descriptor = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(descriptor, bytes)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    removeLeftBeside(temporary)
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  sync(dirname(file))
}

/**
 * Makes a folder (0700) and those above it where they are missing, and brings their names to the disk; that of the folder itself also
 * where it is there already: whoever made it may not have come so far.
 */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 }) ?? folder
  for (let each = folder; each.length >= first.length; each = dirname(each)) sync(dirname(each))
}
