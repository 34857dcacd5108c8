import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the real CLI as a child process. */
export function startRoadveil(
  args: readonly string[],
  { env = {}, cwd = process.cwd() }: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): ChildProcess & { readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    cwd,
  })
  const read: [string, string] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (read[0] += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (read[1] += text))
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({
    code: code ?? null,
    stdout: read[0],
    stderr: read[1],
  }))
  return Object.assign(child, { ended })
}

/** Runs the real CLI to its end. */
export async function roadveil(args: readonly string[], cwd?: string): Promise<Ended> {
  return startRoadveil(args, cwd === undefined ? {} : { cwd }).ended
}
