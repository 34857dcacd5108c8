import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { type EpochMs, iso } from '../domain/frame.ts'

/**
 * That the disk failed is noted in the runtime directory, which usually lies in memory: the vault that is started next, and
 * `roadveil status` while none can start, tell of it.
 */

type Where = Pick<Config, 'runtimeDirectory'>

const NAME = 'store-failed'

/** Notes it as well as it can: where not even that can be written, the log has it. */
export function noteStoreFailure({ runtimeDirectory }: Where, at: EpochMs): void {
  try {
    mkdirSync(runtimeDirectory, { recursive: true, mode: 0o700 })
    writeFileSync(join(runtimeDirectory, NAME), iso(at), { mode: 0o600 })
  } catch {
    return
  }
}

/** When it last failed; null where that was not noted. */
export async function readStoreFailure({ runtimeDirectory }: Where): Promise<EpochMs | null> {
  const noted = await readFile(join(runtimeDirectory, NAME), 'utf8').catch(() => '')
  const at = Date.parse(noted)
  return Number.isNaN(at) ? null : at
}
