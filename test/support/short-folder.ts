import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary folder of mode 0700 with a short path: a Unix socket's path may have 107 bytes, and tap's folders are longer. */
export async function shortFolder(t: { teardown(act: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rv-'))
  t.teardown(async () => rm(folder, { recursive: true, force: true }))
  return folder
}
