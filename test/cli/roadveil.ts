import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { tellHandled } from '../support/handled.ts'

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
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      read[name] += text
      const latest = read[name].slice(-text.length - 200)
      tellHandled({ kind: 'text', where: 'what a process has printed', text: latest })
    })
  }
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, ...read }))
  return Object.assign(child, { ended, output: () => ({ ...read }) })
}

/** Runs the real CLI to its end. */
export async function roadveil(args: readonly string[], cwd?: string): Promise<Ended> {
  return startRoadveil(args, cwd === undefined ? {} : { cwd }).ended
}
