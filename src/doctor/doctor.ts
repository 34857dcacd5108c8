import { faultText } from '../config-file/finding.ts'
import { checkConfig } from '../config/load.ts'
import { isRoadveilError } from '../errors.ts'
import { type Check, fault, ok } from './check.ts'
import { checkBox } from './box.ts'
import { checkMachine } from './machine.ts'

/**
 * Looks at a whole installation, with the daemon stopped or running, and changes nothing of it. A config with faults is told with
 * all of them, and what it names is not looked at.
 */
export async function examine(
  configFile: string,
  { env, now }: { readonly env: Readonly<Record<string, string | undefined>>; readonly now: number },
): Promise<readonly Check[]> {
  const machine = checkMachine()
  const { config, checks } = await checkConfigFile(configFile, env)
  const box = config ? await checkBox(config, env, now) : []
  return [...checks, ...box, ...(await machine)]
}

async function checkConfigFile(file: string, env: Readonly<Record<string, string | undefined>>) {
  try {
    const { config, faults } = await checkConfig(file, { env })
    if (config) return { config, checks: [ok('config', `${file} and the files that it names`)] }
    return {
      checks: faults.map((each) =>
        fault('config', each.code === 'ERR_SECRET_FILE' ? each.code : 'ERR_CONFIG_INVALID', faultText(each)),
      ),
    }
  } catch (error) {
    if (!isRoadveilError(error)) throw error
    return { checks: [fault('config', error.code, error.message.split('\n')[0] ?? '')] }
  }
}
