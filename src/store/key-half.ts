import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { RoadveilError } from '../errors.ts'
import { fileError } from './failure.ts'
import { makeFolder, sync } from './sync.ts'

/**
 * The half of a day's key that lies in a file of its own, so that it can be overwritten where it lies: a database and its log copy
 * what they hold from place to place. The file holds it twice, each with its SHA-256 in a block of its own: one bad block does not
 * cost a day's evidence, and a file of two blocks never lies in an inode, which a file system may copy with its journal.
 */

const HALF_BYTES = 32
const BLOCK_BYTES = 4096

/** Writes a new half, mode 0600; on the disk when this returns. Throws ERR_STORE_FULL, ERR_STORE_IO. */
export function writeKeyHalf(file: string, half: Buffer): void {
  const block = Buffer.alloc(BLOCK_BYTES)
  half.copy(block)
  digest(half).copy(block, HALF_BYTES)
  try {
    const folder = dirname(file)
    makeFolder(folder)
    writeWhole(file, Buffer.concat([block, block]))
    sync(folder)
  } catch (error) {
    throw fileError(error, 'the key of the day could not be written')
  } finally {
    block.fill(0)
  }
}

/** undefined where there is none, or neither copy is whole. Throws ERR_STORE_IO when the disk fails to read it. */
export function readKeyHalf(file: string): Buffer | undefined {
  let bytes: Buffer
  try {
    if (!existsSync(file)) return undefined
    bytes = readFileSync(file)
  } catch (error) {
    throw fileError(error, 'the key of a day could not be read')
  }
  for (let at = 0; at < 2 * BLOCK_BYTES; at += BLOCK_BYTES) {
    const half = bytes.subarray(at, at + HALF_BYTES)
    const check = bytes.subarray(at + HALF_BYTES, at + 2 * HALF_BYTES)
    if (half.length === HALF_BYTES && digest(half).equals(check)) return half
  }
  return undefined
}

/** Overwrites a half where it lies, and then takes its name away. Destroying it again does nothing. Throws ERR_STORE_IO. */
export function destroyKeyHalf(file: string): void {
  try {
    if (!existsSync(file)) return
    const descriptor = openSync(file, 'r+')
    try {
      const written = writeSync(descriptor, randomBytes(2 * BLOCK_BYTES), 0, 2 * BLOCK_BYTES, 0)
      if (written !== 2 * BLOCK_BYTES) throw new RoadveilError('ERR_STORE_IO', 'a key was not overwritten')
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    rmSync(file)
    sync(dirname(file))
  } catch (error) {
    throw fileError(error, 'the key of a day could not be destroyed')
  }
}

function writeWhole(file: string, bytes: Buffer): void {
  const descriptor = openSync(file, 'wx', 0o600)
  try {
    writeFileSync(descriptor, bytes)
    fsyncSync(descriptor)
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
    bytes.fill(0)
  }
}

function digest(half: Buffer): Buffer {
  return createHash('sha256').update(half).digest()
}
