/** A program and how to start it: for `spawn` and `execFile` of node:child_process. */
export interface Confined {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/**
 * How a program that sees pixels is started: it ends with this process, however that ends (setpriv), leaves no core dump, which would
 * hold pixels (prlimit), and inherits no environment that could make it write to disk (FFREPORT). It ends with 127 where one of the
 * three is not there.
 */
export function confined(program: 'ffmpeg' | 'ffprobe', args: readonly string[]): Confined {
  return {
    command: 'setpriv',
    args: ['--pdeathsig', 'KILL', '--', 'prlimit', '--core=0', '--', program, ...args],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  }
}
