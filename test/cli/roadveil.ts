import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RoadveilProcess extends ChildProcess {
  readonly ended: Promise<Ended>
  /** What it wrote so far. */
  output(): { readonly stdout: string; readonly stderr: string }
}

/** Starts the real CLI as a child process. It dies with the test, even with one that is killed. */
export function startRoadveil(
  args: readonly string[],
  {
    env = {},
    cwd = process.cwd(),
    main = MAIN,
  }: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly main?: string } = {},
): RoadveilProcess {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    cwd,
  })
  const read = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (read.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (read.stderr += text))
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, ...read }))
  return Object.assign(child, { ended, output: () => ({ ...read }) })
}

/** Runs the real CLI to its end. */
export async function roadveil(args: readonly string[], cwd?: string): Promise<Ended> {
  return startRoadveil(args, cwd === undefined ? {} : { cwd }).ended
}
