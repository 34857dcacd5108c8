import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Suites beside this one read every new temporary file, these too, and a file that is being read keeps its disk busy. */
const BUSY_MS = 60_000

const run = promisify(execFile)

/** A small file system of its own. */
export interface SmallDisk extends AsyncDisposable {
  readonly folder: string
}

/** What this machine lacks for a small file system; undefined where it can mount one. */
export async function lackingDisk(): Promise<string | undefined> {
  const folder = join(tmpdir(), `rvf-disk-${process.pid}`)
  try {
    await using disk = await mountDisk(folder, { mebibytes: 1, files: 16 })
    return disk.folder === folder ? undefined : 'a small disk'
  } catch {
    return 'root, to mount a small file system: run as root, or under `unshare -rm`'
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Mounts a tmpfs of a size and for so many files; unmounted when it is disposed. */
export async function mountDisk(
  folder: string,
  { mebibytes, files }: { readonly mebibytes: number; readonly files: number },
): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,nr_inodes=${files},mode=700`, 'tmpfs', folder])
  return {
    folder,
    async [Symbol.asyncDispose]() {
      await unmount(folder)
    },
  }
}

async function unmount(folder: string): Promise<void> {
  const end = performance.now() + BUSY_MS
  for (;;) {
    try {
      await run('umount', [folder])
      return
    } catch (error) {
      if (performance.now() < end) {
        await sleep(100)
        continue
      }
      // Gone from its place at least, so that the folder can be removed.
      await run('umount', ['--lazy', folder])
      throw error
    }
  }
}
