import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A Node process of a kill suite. */
export interface Victim {
  readonly pid: number
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** SIGTERM, and waits. */
  stop(): Promise<void>
  readonly isGone: boolean
}

/**
 * Starts a Node program that dies with this process. What is compiled is kept in `cache`: hundreds of starts take half the time.
 *
 * @param onLine called with each line that it writes to stdout.
 */
export function startVictim(
  program: readonly string[],
  { cache, onLine, env = {} }: { cache: string; onLine?: (line: string) => void; env?: NodeJS.ProcessEnv },
): Victim {
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...program], {
    stdio: ['ignore', onLine ? 'pipe' : 'ignore', 'ignore'],
    env: { ...process.env, ...env, NODE_COMPILE_CACHE: cache },
  })
  const gone = once(child, 'close')
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine?.(line)
  })
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await gone
  }
  return {
    pid: child.pid ?? 0,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    get isGone() {
      return child.exitCode !== null || child.signalCode !== null
    },
  }
}
