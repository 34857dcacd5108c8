import type { Config } from '../config/config.ts'
import type { ConfigReader } from '../config/files.ts'

/** Loads the config. Its libraries are loaded only here, so that help and usage errors come at once on a slow box. */
export async function readConfig(file: string, reader: ConfigReader): Promise<Config> {
  const { loadConfig } = await import('../config/load.ts')
  return loadConfig(file, { reader })
}
