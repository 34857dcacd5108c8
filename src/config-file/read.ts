import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { RoadveilError } from '../errors.ts'
import { faultText, pathText, type Fault, type Finding } from './finding.ts'
import { parseYaml, type YamlFile } from './yaml.ts'

/** A config file as it was read. */
export interface ConfigFile extends YamlFile {
  readonly bytes: Buffer
}

/**
 * Reads a YAML config file.
 *
 * @throws RoadveilError ERR_CONFIG_MISSING when it cannot be read, ERR_CONFIG_SYNTAX when it is not plain YAML
 */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const bytes = await readBytes(file)
  const { value, lineOf } = parseYaml(bytes, file)
  return { bytes, value: value ?? {}, lineOf }
}

/** The faults of a file in the order of its lines. */
export function faultsOf(findings: readonly Finding[], lineOf: YamlFile['lineOf']): Fault[] {
  const faults = findings.map((found): Fault => ({
    ...found,
    path: pathText(found.path),
    line: lineOf(found.path),
  }))
  return faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
}

/** ERR_CONFIG_INVALID with all faults of a file for people: a headline, then one line each. */
export function invalidConfig(file: string, faults: readonly Fault[]): RoadveilError {
  const headline = `${basename(file)} has ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}:`
  return new RoadveilError(
    'ERR_CONFIG_INVALID',
    [headline, ...faults.map((fault) => `  ${faultText(fault)}`)].join('\n'),
  )
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : 'cannot be read'
    throw new RoadveilError('ERR_CONFIG_MISSING', `${file} ${why}`, { cause })
  }
}
