import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

/** Brings what was written to a file, or the names in a folder, to the disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Makes a folder (0700) and those above it where they are missing, and brings their names to the disk; that of the folder itself also
 * where it is there already: whoever made it may not have come so far.
 */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 }) ?? folder
  for (let each = folder; each.length >= first.length; each = dirname(each)) sync(dirname(each))
}
