import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { MAX_CHUNK_BYTES } from '../protocol/limits.ts'
import { fileError } from './failure.ts'
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
  /** A sealed chunk with its tag, by its index from 0. Throws ERR_STORE_CORRUPT where the file is gone or ends before, ERR_STORE_IO. */
  readChunk(evidenceId: string, index: number, ciphertext: CiphertextSize): Buffer
  /** The sealed manifest with its tag. Throws as `readChunk` does. */
  readManifest(evidenceId: string, ciphertext: CiphertextSize): Buffer
  /** Whether a file is there that is long enough for this ciphertext and a manifest. */
  isWhole(evidenceId: string, ciphertext: CiphertextSize): boolean
  /** Overwrites a file where it lies, and takes its name away. Removing it again does nothing. Throws ERR_STORE_IO. */
  remove(evidenceId: string): void
  /** The same for a file of which only the name is known. */
  removeNamed(name: string): void
  /** Moves the file with this name into a folder on the same disk. */
  moveTo(folder: string, name: string): void
  /** The name of each file, and when it was written. */
  list(): readonly { readonly name: string; readonly writtenAt: EpochMs }[]
  /** What all files take. */
  bytes(): number
}

export interface CiphertextSize {
  readonly bytes: number
  readonly chunks: number
}

const SEALED_CHUNK_BYTES = MAX_CHUNK_BYTES + TAG_BYTES
const NONE = Buffer.alloc(0)
const ZEROS = Buffer.alloc(256 * 1024)
const NAME = /^[0-9a-f]{32}$/

/** What the file of an evidence is called: the id itself is nobody's business who sees only the disk. */
export function fileNameOf(evidenceId: string): string {
  return createHash('sha256').update(evidenceId).digest('hex').slice(0, 32)
}

/** @param file of the database. */
export function evidenceFilesOf(file: string): EvidenceFiles {
  const folder = `${file}.evidence`
  const pathOf = (evidenceId: string): string => join(folder, fileNameOf(evidenceId))
  const names = (): string[] =>
    existsSync(folder) ? readdirSync(folder).filter((name) => NAME.test(name)) : []
  /** @param until the end of the file where it is not given */
  const read = (evidenceId: string, from: number, until = Infinity): Buffer => {
    const bytes = coded('evidence could not be read', () => {
      const descriptor = openIfThere(pathOf(evidenceId), 'r')
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
  const count = (): number =>
    coded('the evidence cannot be counted', () =>
      names().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0),
    )
  const grow = (bytes: number): void => {
    if (total !== undefined) total += bytes
  }

  const removeNamed = (name: string): void => {
    const path = join(folder, name)
    coded('the file of an evidence could not be removed', () => {
      const descriptor = openIfThere(path, 'r+')
      if (descriptor === undefined) return
      try {
        const { size } = fstatSync(descriptor)
        overwrite(descriptor, size)
        grow(-size)
      } finally {
        closeSync(descriptor)
      }
      // A power cut may bring the name back, but nothing of what was there; the next start removes it then.
      rmSync(path, { force: true })
    })
  }

  return {
    write(evidenceId, pieces) {
      const path = pathOf(evidenceId)
      coded('the evidence could not be written', () => {
        if (!isMade) makeFolder(folder)
        isMade = true
        // Never over what an interrupted try has left: a name or a page that a failed sync gave up must be written anew.
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

    readManifest: (evidenceId, ciphertext) => read(evidenceId, sealedBytes(ciphertext)),

    isWhole(evidenceId, ciphertext) {
      const stat = statSync(pathOf(evidenceId), { throwIfNoEntry: false })
      return stat?.isFile() === true && stat.size > sealedBytes(ciphertext) + TAG_BYTES
    },

    remove: (evidenceId) => removeNamed(fileNameOf(evidenceId)),
    removeNamed,

    moveTo: (target, name) =>
      coded('the file of an evidence could not be set aside', () =>
        renameSync(join(folder, name), join(target, `${name}.evidence`)),
      ),

    list: () =>
      coded('the evidence cannot be listed', () =>
        names().map((name) => ({ name, writtenAt: statSync(join(folder, name)).mtimeMs })),
      ),

    bytes: () => (total ??= count()),
  }
}

const sealedBytes = ({ bytes, chunks }: CiphertextSize): number => bytes + chunks * TAG_BYTES

/** On a file system that writes elsewhere what is overwritten, and has no room for that, the name is all that can be taken away. */
function overwrite(descriptor: number, size: number): void {
  try {
    for (let at = 0; at < size;) at += writeSync(descriptor, ZEROS, 0, Math.min(ZEROS.length, size - at), at)
    fsyncSync(descriptor)
  } catch (error) {
    if (!isRoadveilError(fileError(error, ''), 'ERR_STORE_FULL')) throw error
  }
}

function openIfThere(path: string, flags: 'r' | 'r+'): number | undefined {
  try {
    return openSync(path, flags)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
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

function coded<T>(message: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw fileError(error, message)
  }
}
