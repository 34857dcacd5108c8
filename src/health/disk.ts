import { statfs } from 'node:fs/promises'

/** What a file system has left for a user who is not root. */
export interface DiskSpace {
  readonly freeBytes: number
  /** Files that can still be made; null where the file system has no such limit. */
  readonly freeFiles: number | null
}

/** Reads what is left on the disk of a folder; undefined where that cannot be read. */
export async function readDisk(folder: string): Promise<DiskSpace | undefined> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(folder)
    return { freeBytes: bavail * bsize, freeFiles: files === 0 ? null : ffree }
  } catch {
    return undefined
  }
}
