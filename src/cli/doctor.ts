import type { Command } from 'commander'
import type { Check } from '../doctor/check.ts'
import { RoadveilError } from '../errors.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText, wrapped } from './table.ts'

/** `roadveil doctor`: everything that a box needs, looked at once. */
export function addDoctor(program: Command, output: Output): void {
  program
    .command('doctor')
    .summary('look at the whole installation and say what is wrong')
    .description(
      'Looks at config, keys, certificates, broker, store, disk, cameras, networks, clock, swap and programs, whether ' +
        'Roadveil runs or not, and changes nothing. Ends with 1 when there is a fault, with 3 when it is the config; ' +
        'warnings end with 0.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil doctor --config /etc/roadveil/roadveil.yaml')
    .action(async ({ config: file, json }: { readonly config: string; readonly json?: true }) => {
      const { examine } = await import('../doctor/doctor.ts')
      const checks = await examine(file, { env: process.env, now: Date.now() })
      const faults = checks.filter(({ state }) => state === 'fault')
      if (json) output.json({ ok: faults.length === 0, checks })
      else for (const check of checks) for (const line of linesOf(check)) output.answer(line)
      if (faults.length === 0) return
      const isConfig = faults.some(({ check }) => check === 'config')
      const message = `${file}: ${countText(faults.length, 'fault')}`
      throw new RoadveilError(isConfig ? 'ERR_CONFIG_INVALID' : 'ERR_UNHEALTHY', message)
    })
}

function linesOf({ check, state, code, message, hint }: Check): string[] {
  const said = code === null ? message : `${message} (${code})`
  const line = `${state.padEnd(7)}  ${check.padEnd(14)}  `
  return [...wrapped(said, line), ...(hint === null ? [] : wrapped(hint, ' '.repeat(line.length)))]
}
