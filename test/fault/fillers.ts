import { appendFileSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openLogFile } from '../../src/cli/log-file.ts'

/** Ways to take the last byte, or the last name, of a disk. */
export const FILLERS = ['store', 'logs', 'other', 'inodes'] as const
export type Filler = (typeof FILLERS)[number]

/** What the store has to fill itself: some evidence. */
const LEFT_FOR_STORE_BYTES = 24 * 1024 * 1024

/** Fills a disk as far as it goes, and gives back what it took. For the store some room is left, which it fills itself. */
export function fillDisk(filler: Filler, disk: string): { readonly free: () => void } {
  const folder = join(disk, 'filler')
  mkdirSync(folder, { mode: 0o700 })
  const free = (): void => rmSync(folder, { recursive: true, force: true })
  const { bavail, bsize } = statfsSync(disk)
  if (filler === 'store')
    writeFileSync(join(folder, 'other'), Buffer.alloc(Math.max(0, bavail * bsize - LEFT_FOR_STORE_BYTES)))
  else if (filler === 'logs') fillWithLogs(folder)
  else
    untilFull((n) =>
      filler === 'inodes'
        ? writeFileSync(join(folder, `f${n}`), '')
        : appendFileSync(join(folder, 'other'), NOISE),
    )
  return { free }
}

const NOISE = Buffer.alloc(256 * 1024, 'x')

/** Through the log file that `roadveil run` writes, which must go on without. */
function fillWithLogs(folder: string): void {
  const full = new AbortController()
  using log = openLogFile(folder, () => full.abort())
  const line = 'x'.repeat(64 * 1024)
  while (!full.signal.aborted) log.write(line)
}

function untilFull(take: (n: number) => void): void {
  try {
    for (let n = 0; ; n++) take(n)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
