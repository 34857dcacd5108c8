import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** One thing that a process did to files, or said, in the order in which it happened. */
export type Step =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'opened'
      readonly fd: number
      readonly path: string
      readonly mayMake: boolean
      readonly cut: boolean
    }
  /** Without `at` where the descriptor stands. */
  | { readonly kind: 'wrote'; readonly fd: number; readonly at: number | undefined; readonly bytes: Buffer }
  /** From where one descriptor stands to where the other does. */
  | { readonly kind: 'copied'; readonly from: number; readonly to: number; readonly length: number }
  | { readonly kind: 'resized'; readonly fd: number; readonly size: number }
  /** Of a file or folder; `failed` where the system said that it could not. */
  | { readonly kind: 'synced'; readonly fd: number; readonly failed: boolean }
  | { readonly kind: 'moved'; readonly from: string; readonly to: string }
  | { readonly kind: 'removed'; readonly path: string }
  | { readonly kind: 'closed'; readonly fd: number }
  /** A line on stdout. */
  | { readonly kind: 'said'; readonly line: string }
  /** A fault was injected into this call, on the file of this path where it is about an open one. */
  | { readonly kind: 'fault'; readonly call: string; readonly path: string }
  /** The process ended; its descriptors are closed. */
  | { readonly kind: 'ended' }

const CALLS = [
  ...['openat', 'close', 'mkdir', 'pwrite64', 'write', 'ftruncate', 'fsync', 'fdatasync', 'rename', 'unlink'],
  ...['rmdir', 'copy_file_range', 'sendfile', 'pwritev', 'writev', 'fallocate', 'renameat2', 'unlinkat'],
]
/** Longer writes are the ballast's noise, which nothing reads. */
const LONGEST_WRITE = 200_000

/** What this machine lacks for recordings. */
export async function lackingForRecordings(): Promise<string | undefined> {
  const { status } = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true'])
  return status === 0 ? undefined : 'strace: apt-get install strace, and allow ptrace'
}

// A strace that is killed would leave it running.
const DIE_TOGETHER = ['setpriv', '--pdeathsig', 'KILL']

/** Arguments of strace for a command whose syncs fail, from the Nth on (`N+`) or only that one (`N`). */
export function refusingSyncs(when: string, command: readonly string[]): readonly string[] {
  const inject = `inject=fsync,fdatasync:error=EIO:when=${when}`
  const options = [
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    'trace=fsync,fdatasync',
    '-e',
    inject,
  ]
  return [...options, ...DIE_TOGETHER, ...command]
}

/**
 * Runs a Node program to its end and records its system calls that have to do with files.
 *
 * @param program arguments of node; with the environment of this process.
 * @param inject what strace is to inject, such as `fsync:error=EIO:when=3`.
 */
export async function record(
  program: readonly string[],
  { log, inject, signal }: { readonly log: string; readonly inject?: string; readonly signal: AbortSignal },
): Promise<readonly Step[]> {
  const cache = join(dirname(log), 'compiled')
  const faults = inject === undefined ? [] : ['-e', `inject=${inject}`]
  const child = spawn(
    'strace',
    [
      ...['-f', '--seccomp-bpf', '-xx', '-s', String(LONGEST_WRITE), '-o', log],
      ...['-e', `trace=${CALLS.join(',')}`, '-e', 'signal=none', ...faults],
      ...[...DIE_TOGETHER, process.execPath, ...program],
    ],
    // Where libuv used io_uring, nothing would be seen.
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, UV_USE_IO_URING: '0', NODE_COMPILE_CACHE: cache },
      signal,
      killSignal: 'SIGKILL',
    },
  )
  await once(child, 'exit')
  try {
    return [...stepsIn(await readFile(log, 'latin1')), { kind: 'ended' }]
  } finally {
    await rm(log, { force: true })
  }
}

/** Reads what strace wrote. Throws where it says something that this can't follow. */
function* stepsIn(trace: string): Generator<Step> {
  const begun = new Map<string, string>()
  const open = new Map<number, string>()
  let said = ''
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const unfinished = / <unfinished \.\.\.>$/.exec(rest)
    if (unfinished) {
      begun.set(thread, rest.slice(0, unfinished.index))
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest)
    const whole = resumed ? `${begun.get(thread) ?? ''}${rest.slice(resumed[0].length)}` : rest
    const call = /^(\w+)\((.*)\) += (-?\d+)(.*)$/.exec(whole)
    if (!call) continue
    const [, name = '', args = '', result = '', note = ''] = call
    if (note.includes('INJECTED'))
      yield { kind: 'fault', call: name, path: open.get(Number.parseInt(args, 10)) ?? '' }
    for (const step of stepsOf(name, args, Number(result))) {
      if (step.kind === 'opened') open.set(step.fd, step.path)
      if (step.kind !== 'wrote' || step.fd !== 1) {
        yield step
        continue
      }
      const lines = (said + step.bytes.toString()).split('\n')
      said = lines.pop() ?? ''
      for (const each of lines) yield { kind: 'said', line: each }
    }
  }
}

function* stepsOf(call: string, args: string, result: number): Generator<Step> {
  const failed = result < 0
  const texts = [...args.matchAll(/"([^"]*)"/g)].map(([, text = '']) => bytesOf(text))
  const path = texts[0]?.toString() ?? ''
  const numbers = args
    .replaceAll(/"[^"]*"(\.\.\.)?/g, '')
    .split(',')
    .map((text) => Number.parseInt(text, 10))
  const [fd = -1] = numbers
  if (failed && call !== 'fsync' && call !== 'fdatasync') return
  switch (call) {
    case 'openat':
      yield {
        kind: 'opened',
        fd: result,
        path,
        mayMake: args.includes('O_CREAT'),
        cut: args.includes('O_TRUNC'),
      }
      return
    case 'close':
      yield { kind: 'closed', fd }
      return
    case 'mkdir':
      yield { kind: 'folder', path }
      return
    case 'write':
    case 'pwrite64': {
      const at = call === 'write' ? undefined : numbers[3]
      const bytes = texts[0] ?? Buffer.alloc(0)
      yield {
        kind: 'wrote',
        fd,
        at,
        bytes: bytes.length < result ? Buffer.alloc(result) : bytes.subarray(0, result),
      }
      return
    }
    case 'ftruncate':
      yield { kind: 'resized', fd, size: numbers[1] ?? 0 }
      return
    case 'fsync':
    case 'fdatasync':
      yield { kind: 'synced', fd, failed }
      return
    case 'rename':
    case 'renameat2':
      yield { kind: 'moved', from: path, to: texts[1]?.toString() ?? '' }
      return
    case 'unlink':
    case 'unlinkat':
    case 'rmdir':
      yield { kind: 'removed', path }
      return
    case 'copy_file_range':
      yield { kind: 'copied', from: fd, to: numbers[2] ?? -1, length: result }
      return
    case 'sendfile':
      yield { kind: 'copied', from: numbers[1] ?? -1, to: fd, length: result }
      return
    case 'writev':
    case 'pwritev':
    case 'fallocate':
      // Nothing of ours calls these; the disk throws where a file of it is meant.
      yield { kind: 'resized', fd, size: Number.NaN }
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}
