import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { faultText, type Fault } from '../config-file/finding.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText } from './table.ts'

/** `roadveil check`: every fault of the config at once, on stdout; exit 3 when there is one. */
export function addCheck(program: Command, output: Output): void {
  program
    .command('check')
    .summary('find every fault of the config, its files and its models')
    .description(
      'Reads the config as the daemon would and lists every fault: "line N: path: reason (got value)". ' +
        'Checks values, how they fit each other, the files named, and that the models are there.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil check --config /etc/roadveil/roadveil.yaml')
    .action(async ({ config: file, json }: { readonly config: string; readonly json?: true }) => {
      const { config, faults } = await findFaults(file)
      if (json) output.json({ ok: faults.length === 0, file, faults })
      else for (const fault of faults) output.answer(faultText(fault))
      if (faults.length > 0) {
        throw new RoadveilError('ERR_CONFIG_INVALID', `${file} has ${countText(faults.length, 'fault')}`)
      }
      if (!json && config) output.answer(`${file}: no faults; ${summary(config)}`)
    })
}

async function findFaults(
  file: string,
): Promise<{ readonly config?: Config; readonly faults: readonly Fault[] }> {
  const { checkConfig } = await import('../config/load.ts')
  try {
    const { config, faults } = await checkConfig(file)
    if (!config) return { faults }
    return { config, faults: await findModelFaults() }
  } catch (error) {
    if (!isRoadveilError(error, 'ERR_CONFIG_SYNTAX')) throw error
    const line = Number(/\bline (\d+)/.exec(error.message)?.[1] ?? 1)
    const reason = error.message
      .split('\n')
      .map((text) => text.trim())
      .join('; ')
      .replace(':; ', ': ')
    return { faults: [{ path: 'config', reason, line, code: error.code }] }
  }
}

async function findModelFaults(): Promise<Fault[]> {
  const { resolveModelFile } = await import('../models/manifest.ts')
  const { loadModelSource } = await import('../models/source.ts')
  const { manifest, directory } = await loadModelSource()
  const faults = await Promise.all(
    manifest.models.map((entry) =>
      resolveModelFile(entry, directory).then(
        () => [],
        (): Fault[] => [
          {
            path: 'models',
            reason: `the release lacks ${entry.file} (${entry.role}); install it again`,
            code: 'ERR_MODEL_MISSING',
          },
        ],
      ),
    ),
  )
  return faults.flat()
}

function summary({ cameras }: Config): string {
  const rules = cameras.flatMap((camera) => camera.rules)
  const live = rules.filter(({ mode }) => mode === 'live').length
  return `${countText(cameras.length, 'camera')}, ${countText(rules.length, 'rule')} (${live} live)`
}
