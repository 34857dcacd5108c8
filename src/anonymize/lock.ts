import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { RoadveilError } from '../errors.ts'

/** How `flock` says that somebody else has the lock. */
const TAKEN = 9

/**
 * Locks a folder until it is disposed or this process ends, however it ends: a lock of the kernel leaves nothing behind that could
 * be taken for one. A child holds it, since Node.js has no call for it.
 *
 * @throws RoadveilError ERR_OUTPUT_BUSY when another process has it, ERR_OUTPUT_UNWRITABLE
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const hold = ['sh', '-c', 'echo locked; exec cat']
  const flock = ['flock', '--nonblock', '--no-fork', '--conflict-exit-code', String(TAKEN), folder, ...hold]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...flock], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // Ctrl-C in a terminal is for us: what is stopped goes on using the folder for a moment.
    detached: true,
  })
  child.stdin.on('error', () => undefined) // the exit code says it better
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', (code) => resolve(code))
  })
  const locked = once(child.stdout, 'data').then(() => 'locked' as const)
  const outcome = await Promise.race([locked, ended])
  if (outcome === TAKEN)
    throw new RoadveilError('ERR_OUTPUT_BUSY', 'another run is writing into the output folder')
  if (outcome !== 'locked')
    throw new RoadveilError('ERR_OUTPUT_UNWRITABLE', 'the output folder could not be locked')
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await ended
    },
  }
}
