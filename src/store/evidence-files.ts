import { hash } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { MAX_CHUNK_BYTES } from '../protocol/limits.ts'
import { fileError, readError } from './failure.ts'
import { TAG_BYTES } from './outer-layer.ts'
import { makeFolder, sync } from './sync.ts'

/**
 * What is sealed of each evidence, in a file of its own in a folder beside the database (`NAME.evidence`): SQLite would write every
 * byte twice, and the cipher of its pages takes several times as long as the disk. A file holds the chunks one after the other and
 * then the manifest, each under the outer layer and followed by its tag; whose it is, and the key, stand in the database. What no row
 * names was never acknowledged, was deleted, or belongs to another copy of the database.
 */
export interface EvidenceFiles {
  /**
   * Writes a file anew; on the disk when this returns. To be called before the row that names it is committed.
   *
   * @param pieces of `sealedPieces`
   * @throws ERR_STORE_FULL, ERR_STORE_IO; the file is not there then, as far as the disk allows.
   */
  write(evidenceId: string, pieces: Iterable<Uint8Array>): void
  /**
   * A sealed chunk with its tag, by its index from 0. Throws ERR_STORE_CORRUPT where the file is gone or ends before, or is no file,
   * ERR_STORE_IO where the disk does not give it: that may concern this file only.
   */
  readChunk(evidenceId: string, index: number, ciphertext: CiphertextSize): Buffer
  /** The sealed manifest with its tag. Throws as `readChunk` does. */
  readManifest(evidenceId: string, ciphertext: CiphertextSize): Buffer
  /** Whether a file is there that is as long as this ciphertext and a manifest. True where the disk does not say: reading will tell. */
  isWhole(evidenceId: string, ciphertext: CiphertextSize): boolean
  /** Overwrites a file where it lies, and takes its name away. Removing it again does nothing. Throws ERR_STORE_IO. */
  remove(evidenceId: string): void
  /** The same for a file of which only the name is known. */
  removeNamed(name: string): void
  /** Moves the file with this name into a folder on the same disk. */
  moveTo(folder: string, name: string): void
  /** The name of each file. */
  names(): readonly string[]
  /** When the file with this name was written; undefined where the disk does not say. */
  writtenAt(name: string): EpochMs | undefined
  /** Counts a file as written just now. */
  touch(name: string, at: EpochMs): void
  /** What all files take. */
  bytes(): number
  /** Whether there is a folder for them at all. */
  exists(): boolean
}

export interface CiphertextSize {
  readonly bytes: number
  readonly chunks: number
}

const SEALED_CHUNK_BYTES = MAX_CHUNK_BYTES + TAG_BYTES
/** More than any manifest has. */
const MOST_MANIFEST_BYTES = 1024 * 1024
const NONE = Buffer.alloc(0)
const ZEROS = Buffer.alloc(256 * 1024)
const NAME = /^[0-9a-f]{32}$/

/** What the file of an evidence is called: the id itself is nobody's business who sees only the disk. */
export function fileNameOf(evidenceId: string): string {
  return hash('sha256', evidenceId).slice(0, 32)
}

/** @param file of the database. */
export function evidenceFilesOf(file: string): EvidenceFiles {
  const folder = `${file}.evidence`
  const pathOf = (evidenceId: string): string => join(folder, fileNameOf(evidenceId))
  /** Whatever else lies there is nobody's evidence. */
  const names = (): string[] =>
    existsSync(folder)
      ? readdirSync(folder, { withFileTypes: true })
          .filter((entry) => entry.isFile() && NAME.test(entry.name))
          .map(({ name }) => name)
      : []
  /** @param until the end of the file where it is not given */
  const read = (evidenceId: string, from: number, until = Infinity): Buffer => {
    const bytes = coded('evidence could not be read', readError, () => {
      const descriptor = openIfThere(pathOf(evidenceId), constants.O_RDONLY)
      if (descriptor === undefined) return NONE
      try {
        const length = Math.min(fstatSync(descriptor).size, until) - from
        if (length <= 0) return NONE
        const bytes = Buffer.allocUnsafe(length)
        return bytes.subarray(0, readSync(descriptor, bytes, 0, length, from))
      } finally {
        closeSync(descriptor)
      }
    })
    if (bytes.length > TAG_BYTES) return bytes
    throw new RoadveilError('ERR_STORE_CORRUPT', `a part of the file of evidence ${evidenceId} is gone`)
  }
  let isMade = false
  let total: number | undefined
  const sizeOf = (name: string): number => statOf(join(folder, name))?.size ?? 0
  const count = (): number =>
    coded('the evidence cannot be counted', readError, () =>
      names().reduce((sum, name) => sum + sizeOf(name), 0),
    )
  const grow = (bytes: number): void => {
    if (total !== undefined) total += bytes
  }

  const removeNamed = (name: string): void => {
    grow(-sizeOf(name))
    eraseFile(join(folder, name))
  }

  return {
    write(evidenceId, pieces) {
      const path = pathOf(evidenceId)
      coded('the evidence could not be written', fileError, () => {
        if (!isMade) makeFolder(folder)
        isMade = true
        // Never over what an interrupted try has left: a name or a page that a failed sync gave up must be written anew.
        grow(-sizeOf(fileNameOf(evidenceId)))
        rmSync(path, { force: true })
        const descriptor = openSync(path, 'wx', 0o600)
        try {
          for (const piece of pieces) writeFileSync(descriptor, piece)
          fsyncSync(descriptor)
          grow(fstatSync(descriptor).size)
        } catch (error) {
          dropQuietly(path)
          throw error
        } finally {
          closeSync(descriptor)
        }
        sync(folder)
      })
    },

    readChunk(evidenceId, index, ciphertext) {
      const from = index * SEALED_CHUNK_BYTES
      return read(evidenceId, from, Math.min(from + SEALED_CHUNK_BYTES, sealedBytes(ciphertext)))
    },

    readManifest(evidenceId, ciphertext) {
      const from = sealedBytes(ciphertext)
      return read(evidenceId, from, from + MOST_MANIFEST_BYTES)
    },

    isWhole(evidenceId, ciphertext) {
      const path = pathOf(evidenceId)
      let size: number
      try {
        const stat = lstatSync(path, { throwIfNoEntry: false })
        if (stat?.isFile() !== true) return false
        size = stat.size
      } catch {
        return true
      }
      const least = sealedBytes(ciphertext) + TAG_BYTES
      return size > least && size <= least + MOST_MANIFEST_BYTES
    },

    remove: (evidenceId) => removeNamed(fileNameOf(evidenceId)),
    removeNamed,

    moveTo: (target, name) =>
      coded('the file of an evidence could not be set aside', fileError, () =>
        renameSync(join(folder, name), join(target, `${name}.evidence`)),
      ),

    names: () => coded('the evidence cannot be listed', readError, names),
    writtenAt: (name) => statOf(join(folder, name))?.mtimeMs,
    bytes: () => (total ??= count()),
    exists: () => existsSync(folder),
    touch: (name, at) =>
      coded('the file of an evidence could not be marked', fileError, () =>
        utimesSync(join(folder, name), at / 1000, at / 1000),
      ),
  }
}

const sealedBytes = ({ bytes, chunks }: CiphertextSize): number => bytes + chunks * TAG_BYTES

/** Overwrites a file of sealed evidence where it lies, and takes its name away; a link only loses its name. Throws ERR_STORE_IO. */
export function eraseFile(path: string): void {
  coded('the file of an evidence could not be removed', fileError, () => {
    const descriptor = openIfThere(path, constants.O_RDWR)
    if (descriptor !== undefined)
      try {
        overwrite(descriptor, fstatSync(descriptor).size)
      } finally {
        closeSync(descriptor)
      }
    // A power cut may bring the name back, but nothing of what was there; the next start removes it then.
    rmSync(path, { force: true })
  })
}

/** On a file system that writes elsewhere what is overwritten, and has no room for that, the name is all that can be taken away. */
function overwrite(descriptor: number, size: number): void {
  try {
    for (let at = 0; at < size;) at += writeSync(descriptor, ZEROS, 0, Math.min(ZEROS.length, size - at), at)
    fsyncSync(descriptor)
  } catch (error) {
    if (!isRoadveilError(fileError(error, ''), 'ERR_STORE_FULL')) throw error
  }
}

/** undefined where there is no file: a link is none. */
function openIfThere(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags | constants.O_NOFOLLOW)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ELOOP'))
      return undefined
    throw error
  }
}

/** undefined where the disk does not say, or it is gone meanwhile. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}

/** What is left of a file that could not be written; where even that fails, a purge removes it. */
function dropQuietly(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    return
  }
}

function coded<T>(message: string, codedAs: typeof fileError, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw codedAs(error, message)
  }
}
