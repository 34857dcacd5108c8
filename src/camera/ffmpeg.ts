import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { RoadveilError } from '../errors.ts'
import { confined } from './confined.ts'
import { readFfmpegMessage, type FfmpegMessage } from './ffmpeg-messages.ts'

/** How long ffmpeg may take to end after TERM, milliseconds. */
const TERM_PATIENCE_MS = 2_000
const MAX_LINE_CHARACTERS = 4096

/** A running ffmpeg. Disposing ends it. */
export interface Ffmpeg extends AsyncDisposable {
  /** Streams behind `pipe:3`, `pipe:4`, …, in that order. */
  readonly outputs: readonly Readable[]
  /** Settles when the process is gone and its messages are read; never rejects. */
  readonly ended: Promise<FfmpegEnd>
  /** Ends it: TERM, then KILL. */
  stop(): Promise<void>
}

export interface FfmpegEnd {
  /** 0 only if ffmpeg ended by itself and well. */
  readonly exitCode: number
  /** What its messages said about the reason. */
  readonly failure: RoadveilError | undefined
}

/**
 * Starts ffmpeg, confined. Its messages may show credentials and are never kept: `readFfmpegMessage` turns them into codes.
 *
 * @param args arguments after `ffmpeg`; ffmpeg's log level must be `info` for its messages to be understood
 * @param input what it reads on `pipe:0`
 * @param outputCount how many of `pipe:3`, `pipe:4`, … to open
 */
export function startFfmpeg(
  args: readonly string[],
  input: string | Uint8Array,
  outputCount: number,
  onMessage: (message: FfmpegMessage) => void = () => undefined,
): Ffmpeg {
  const { command, args: all, env } = confined('ffmpeg', args)
  const outputs = Array.from({ length: outputCount }, () => 'pipe' as const)
  const child = spawn(command, all, { stdio: ['pipe', 'ignore', 'pipe', ...outputs], env })
  // A pipe that breaks is told by the end of the process.
  for (const pipe of child.stdio) pipe?.on('error', () => undefined)
  child.stdin?.end(input)

  const ended = end(child, onMessage)
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const kill = setTimeout(() => child.kill('SIGKILL'), TERM_PATIENCE_MS)
    // What it wrote last is not wanted, and it cannot end while it waits for a reader.
    for (const output of child.stdio.slice(3)) output?.destroy()
    await ended
    clearTimeout(kill)
  }
  return {
    outputs: child.stdio.slice(3).filter((stream): stream is Readable => stream != null && 'read' in stream),
    ended,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function end(child: ChildProcess, onMessage: (message: FfmpegMessage) => void): Promise<FfmpegEnd> {
  let failure: RoadveilError | undefined
  const exit = new Promise<number>((resolve) => {
    child.once('error', () => resolve(127))
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128))
  })
  if (child.stderr) {
    for await (const line of lines(child.stderr)) {
      const message = readFfmpegMessage(line)
      if (message?.kind === 'failure') failure ??= message.error
      if (message) onMessage(message)
    }
  }
  const exitCode = await exit
  // 127: setpriv or prlimit did not find what it was to start.
  if (exitCode === 127) failure = new RoadveilError('ERR_FFMPEG_MISSING', 'ffmpeg could not be started')
  return { exitCode, failure }
}

/** Lines of a text stream; a longer one is cut, since nothing may make this process grow. */
async function* lines(stream: Readable): AsyncGenerator<string, void, undefined> {
  let rest = ''
  stream.setEncoding('utf8')
  try {
    for await (const chunk of stream as AsyncIterable<string>) {
      const parts = (rest + chunk).split(/[\r\n]+/)
      rest = (parts.pop() ?? '').slice(0, MAX_LINE_CHARACTERS)
      yield* parts
    }
  } catch {
    // A broken pipe at the end of the process; its exit status says the rest.
  }
  if (rest !== '') yield rest
}
