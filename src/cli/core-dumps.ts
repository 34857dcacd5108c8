import { execFileSync } from 'node:child_process'
import { RoadveilError } from '../errors.ts'

/**
 * Forbids core dumps of this process and of all that it starts, for good: they would hold pixels or keys.
 *
 * @throws RoadveilError ERR_CORE_LIMIT
 */
export function forbidCoreDumps(): void {
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), '--core=0:0'], { stdio: 'ignore' })
  } catch (cause) {
    throw new RoadveilError('ERR_CORE_LIMIT', 'core dumps cannot be turned off', { cause })
  }
}
