import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Names for files and folders that are written under another name first. */

const LEFT = /\.[0-9a-f]{12}\.new$/

/** Nothing is being written for as long as this. */
const OLD_MS = 3_600_000

/** A name beside a file or folder that nobody else writes under, in this process or another. */
export function temporaryBeside(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.new`
}

/**
 * Removes what lies beside a new temporary file or folder and was written under such a name by a process that was killed since. What
 * cannot be removed stays: it is in nobody's way.
 *
 * @param fresh has just been made: its time comes from the same clock as theirs, whatever this machine's says.
 */
export function removeLeftBeside(fresh: string): void {
  try {
    const folder = dirname(fresh)
    const names = readdirSync(folder).filter((name) => LEFT.test(name) && name !== basename(fresh))
    if (names.length === 0) return
    const now = statSync(fresh).mtimeMs
    for (const path of names.map((name) => join(folder, name))) {
      const madeAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now
      if (Math.abs(now - madeAt) > OLD_MS) rmSync(path, { recursive: true, force: true })
    }
  } catch {
    // Somebody else removes it at the same time, or the next one will.
  }
}
