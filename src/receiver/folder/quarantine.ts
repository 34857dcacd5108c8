import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RoadveilError } from '../../errors.ts'
import { makeFolder, type NewFile, writeFolder } from './files.ts'

/** Where refused evidence is set aside for a human. */
export interface Quarantine {
  /** Keeps what was refused with the reason; the same evidence replaces itself. Throws ERR_OUTPUT_FAILED. */
  add(from: { device: string; evidenceId: string }, reason: RoadveilError, files: NewFile[]): Promise<void>
}

/** However small: a folder each costs more than its bytes. */
const MAX_ENTRIES = 1000

/** A quarantine in a folder that never grows beyond `maxBytes`: the oldest entries go first. */
export function createQuarantine(directory: string, maxBytes: number, now: () => number): Quarantine {
  return {
    async add({ device, evidenceId }, reason, files) {
      const folder = join(directory, `${device}.${evidenceId}`)
      const at = new Date(now()).toISOString()
      const note = { device, evidenceId, at, code: reason.code, reason: reason.message, hint: reason.hint }
      await rm(folder, { recursive: true, force: true })
      const noteFile = { name: 'reason.json', bytes: Buffer.from(JSON.stringify(note, null, 2) + '\n') }
      await writeFolder(folder, [noteFile, ...files])
      await trim(directory, maxBytes)
    },
  }
}

async function trim(directory: string, maxBytes: number): Promise<void> {
  await makeFolder(directory)
  const entries = await Promise.all((await readdir(directory)).map((name) => measure(join(directory, name))))
  entries.sort((a, b) => b.at - a.at)
  let bytes = 0
  for (const [index, entry] of entries.entries()) {
    bytes += entry.bytes
    // The newest stays, whatever its size: it is what a human is about to look for.
    if (index > 0 && (bytes > maxBytes || index >= MAX_ENTRIES)) {
      await rm(entry.folder, { recursive: true, force: true })
    }
  }
}

async function measure(folder: string): Promise<{ folder: string; at: number; bytes: number }> {
  const { mtimeMs } = await stat(folder)
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size)
  return { folder, at: mtimeMs, bytes: (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0) }
}
