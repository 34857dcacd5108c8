import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RoadveilError } from '../../errors.ts'
import { removeLeftBeside, temporaryBeside } from '../../temporary.ts'

/** A file to write: its name may hold one folder. */
export interface NewFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * Writes a folder so that it is there with everything in it or not at all, also after a power cut: files and folders go to
 * the disk under a temporary name, which is then changed, and the folder above goes to the disk last. Modes 0600 and 0700.
 *
 * @param temporary where it is written first: on the same file system, and of no other writer. What a writer that was killed left beside
 *   it is removed.
 * @throws RoadveilError ERR_OUTPUT_FAILED; nothing new is under the name then.
 */
export async function writeFolder(
  folder: string,
  files: readonly NewFile[],
  temporary = temporaryBeside(join(dirname(folder), `.${basename(folder)}`)),
): Promise<void> {
  const above = dirname(folder)
  try {
    await makeFolder(above)
    await rm(temporary, { recursive: true, force: true })
    const folders = new Set(files.map(({ name }) => dirname(join(temporary, name)))).add(temporary)
    for (const each of folders) await mkdir(each, { recursive: true, mode: 0o700 })
    removeLeftBeside(temporary)
    await all(files.map(({ name, bytes }) => writeSynced(join(temporary, name), bytes)))
    await all([...folders].map(syncFolder))
    await rename(temporary, folder)
    await syncFolder(above)
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    throw new RoadveilError('ERR_OUTPUT_FAILED', `cannot write ${folder}`, { cause })
  }
}

/**
 * Writes a file so that it is there as a whole or as it was before, also after a power cut. Mode 0600. Two may do so at once, in two
 * processes as well: the file is one of theirs then.
 *
 * @throws RoadveilError ERR_OUTPUT_FAILED
 */
export async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryBeside(file)
  try {
    await makeFolder(dirname(file))
    await writeSynced(temporary, bytes)
    removeLeftBeside(temporary)
    await rename(temporary, file)
    await syncFolder(dirname(file))
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw new RoadveilError('ERR_OUTPUT_FAILED', `cannot write ${file}`, { cause })
  }
}

/**
 * Makes a folder (0700) and those above it, and brings the names of all that are new to the disk.
 */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let each = folder; each.length >= first.length; each = dirname(each)) await syncFolder(dirname(each))
}

/** The bytes of a file, or undefined where there is none. */
export async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Waits for all, also where one fails: nothing may still be at work in a folder that is removed then. Throws the first failure. */
async function all(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
