import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpochMs } from '../domain/frame.ts'

/** Deletes the log files (`*.log`) of a folder that were last written before `before`. Returns when each was. */
export async function deleteLogs(folder: string, before: EpochMs): Promise<readonly EpochMs[]> {
  const deleted: EpochMs[] = []
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.log')) continue
    const file = join(folder, name)
    const stat = await lstat(file)
    if (!stat.isFile() || stat.mtimeMs >= before) continue
    await unlink(file)
    deleted.push(stat.mtimeMs)
  }
  return deleted
}
