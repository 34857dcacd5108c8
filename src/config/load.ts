import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { pathText, type Fault } from '../config-file/finding.ts'
import { faultsOf, invalidConfig, readConfigFile } from '../config-file/read.ts'
import { findShapeFaults } from '../config-file/shape.ts'
import type { Config } from './config.ts'
import { findCrossFaults } from './crosschecks.ts'
import { findFileFaults, type ConfigReader } from './files.ts'
import { resolveConfig } from './resolve.ts'
import { configSchema, platesSchema } from './schema.ts'

export interface LoadOptions {
  /** `vision` looks at no key, `vault` at no camera credential, `cli` at neither; `all` is the default. */
  readonly reader?: ConfigReader
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * Reads and checks a config file, and lists all its faults at once, in the order of the file.
 *
 * Throws ERR_CONFIG_MISSING when the file cannot be read and ERR_CONFIG_SYNTAX when it is not YAML.
 */
export async function checkConfig(
  file: string,
  { reader = 'all', env = process.env }: LoadOptions = {},
): Promise<{ readonly config?: Config; readonly faults: readonly Fault[] }> {
  const { bytes, value, lineOf } = await readConfigFile(file)
  const folder = dirname(resolve(file))
  const shape = findShapeFaults(configSchema, value)
  const refused = new Set(shape.map(({ path }) => pathText(path)))
  const rest = [...findCrossFaults(value), ...(await findFileFaults(value, folder, reader, env))]
  // One fault a value: what has the wrong shape needs no second reason.
  const findings = [...shape, ...rest.filter(({ path }) => !refused.has(pathText(path)))]
  if (findings.length > 0) return { faults: faultsOf(findings, lineOf) }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { config: resolveConfig(configSchema.parse(value), folder, sha256), faults: [] }
}

/**
 * Reads a config file for a process that is about to start.
 *
 * Throws what `checkConfig` throws, and ERR_CONFIG_INVALID with one line a fault.
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<Config> {
  const { config, faults } = await checkConfig(file, options)
  if (!config) throw invalidConfig(file, faults)
  return config
}

/**
 * Reads nothing but how plates are read, so that networks can be tried before the rest of a config is written.
 *
 * @param file without one, the defaults are given
 * @throws what `readConfigFile` throws, and ERR_CONFIG_INVALID with one line a fault of that part
 */
export async function loadPlates(file: string | undefined): Promise<Config['plates']> {
  if (file === undefined) return platesSchema.parse({})
  const { value, lineOf } = await readConfigFile(file)
  const plates = z.looseObject({ plates: platesSchema })
  const faults = findShapeFaults(plates, value)
  if (faults.length > 0) throw invalidConfig(file, faultsOf(faults, lineOf))
  return plates.parse(value).plates
}
