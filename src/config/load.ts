import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { RoadveilError } from '../errors.ts'
import type { Config } from './config.ts'
import { findCrossFaults } from './crosschecks.ts'
import { findFileFaults, type ConfigReader } from './files.ts'
import { faultText, pathText, type Fault } from './finding.ts'
import { resolveConfig } from './resolve.ts'
import { configSchema } from './schema.ts'
import { findShapeFaults } from './shape.ts'
import { parseYaml } from './yaml.ts'

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
  const bytes = await readConfig(file)
  const { value, lineOf } = parseYaml(bytes, file)
  const root = value ?? {}
  const folder = dirname(resolve(file))
  const shape = findShapeFaults(configSchema, root)
  const refused = new Set(shape.map(({ path }) => pathText(path)))
  const rest = [...findCrossFaults(root), ...(await findFileFaults(root, folder, reader, env))]
  // One fault a value: what has the wrong shape needs no second reason.
  const findings = [...shape, ...rest.filter(({ path }) => !refused.has(pathText(path)))]
  if (findings.length > 0) {
    const faults = findings.map((found): Fault => ({
      ...found,
      path: pathText(found.path),
      line: lineOf(found.path),
    }))
    return { faults: faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { config: resolveConfig(configSchema.parse(root), folder, sha256), faults: [] }
}

/**
 * Reads a config file for a process that is about to start.
 *
 * Throws what `checkConfig` throws, and ERR_CONFIG_INVALID with one line a fault.
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<Config> {
  const { config, faults } = await checkConfig(file, options)
  if (!config) throw new RoadveilError('ERR_CONFIG_INVALID', faultsText(basename(file), faults))
  return config
}

/** All faults of a file for people: a headline, then one line each. */
function faultsText(name: string, faults: readonly Fault[]): string {
  const headline = `${name} has ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}:`
  return [headline, ...faults.map((fault) => `  ${faultText(fault)}`)].join('\n')
}

async function readConfig(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : 'cannot be read'
    throw new RoadveilError('ERR_CONFIG_MISSING', `${file} ${why}`, { cause })
  }
}
