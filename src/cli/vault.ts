import type { ControlAnswers, ControlRequest } from '../channel/control-messages.ts'
import { readConfig } from './config.ts'

/** Asks the vault that runs with this config. Throws what `readConfig` and `askVault` do. */
export async function askRunning<T extends ControlRequest>(
  configFile: string,
  request: T,
): Promise<ControlAnswers[T['verb']]> {
  const { runtimeDirectory } = await readConfig(configFile, 'cli')
  const { askVault } = await import('../channel/control.ts')
  return askVault(runtimeDirectory, request)
}
