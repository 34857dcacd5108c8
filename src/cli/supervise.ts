import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Logger } from '../log.ts'
import { scrubCredentials } from '../scrub.ts'
import { backoffMs, pause } from '../waiting.ts'

/** A process to keep alive. */
export interface ProcessSpec {
  readonly role: 'vision' | 'vault'
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

export interface SuperviseOptions {
  readonly logger: Logger
  /** Takes each line that the process writes, without its newline. */
  readonly onLine: (line: string) => void
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number
  /** First delay before a dead process is started again; doubled each time, up to one of the two below. */
  readonly minDelayMs: number
  /** For a process that was killed, by a person or for want of memory: that says nothing against it. */
  readonly maxKilledDelayMs: number
  /** For a process that ended by itself or crashed: it would soon do so again, and each start costs seconds of a small CPU. */
  readonly maxDelayMs: number
}

/** A process that has lived this long was healthy: the next restart is a quick one again. */
const HEALTHY_MS = 60_000
/** The process found its config or its keys bad: starting it again changes nothing. */
const BAD_CONFIG_EXIT = 3

/**
 * Keeps a process running until the signal aborts, and then stops it: SIGTERM, and SIGKILL after the grace time.
 *
 * Gives 3 when the process ended because of its config, else 0 after the stop.
 */
export async function superviseProcess(
  spec: ProcessSpec,
  options: SuperviseOptions,
  signal: AbortSignal,
): Promise<0 | 3> {
  const { logger } = options
  const { role } = spec
  // Counted apart: whoever kills a process must not make it wait for faults of its own, nor the other way round.
  let [killed, failed] = [0, 0]
  for (;;) {
    const startedAt = performance.now()
    const { code, by } = await runOnce(spec, options, signal)
    if (signal.aborted) return 0
    if (code === BAD_CONFIG_EXIT) return 3
    if (performance.now() - startedAt > HEALTHY_MS) killed = failed = 0
    const isKilled = by === 'SIGKILL'
    const attempt = isKilled ? ++killed : ++failed
    const mostMs = isKilled ? options.maxKilledDelayMs : options.maxDelayMs
    const delayMs = backoffMs(attempt, options.minDelayMs, mostMs)
    const how = by === null ? { exitCode: code ?? 1 } : { signal: by }
    logger.warn('a process ended and is started again', { role, attempt, delayMs, ...how })
    await pause(delayMs, signal)
    if (isStopped(signal)) return 0
  }
}

/** A function, because the compiler does not expect a property to change while waiting. */
function isStopped(signal: AbortSignal): boolean {
  return signal.aborted
}

async function runOnce(
  { role, command, args, env }: ProcessSpec,
  { logger, onLine, graceMs }: SuperviseOptions,
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly by: NodeJS.Signals | null }> {
  // Its own session: Ctrl-C must not reach both processes at once, they stop one after the other.
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const streams = [child.stdout, child.stderr].map(async (stream) => forwardLines(stream, onLine))
  if (child.pid !== undefined) logger.info('process started', { role, pid: child.pid })
  const stop = (): void => void stopChild(child, graceMs, logger, role)
  signal.addEventListener('abort', stop)
  try {
    const [code, by] = await exited
    await Promise.all(streams)
    return { code, by }
  } catch (error) {
    logger.error('a process cannot be started', { role, error })
    return { code: 1, by: null }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function stopChild(child: ChildProcess, graceMs: number, logger: Logger, role: string): Promise<void> {
  child.kill('SIGTERM')
  const killing = setTimeout(() => {
    logger.warn('a process did not stop and is killed', { role, delayMs: graceMs })
    child.kill('SIGKILL')
  }, graceMs)
  await once(child, 'exit').catch(() => undefined)
  clearTimeout(killing)
}

/**
 * Log lines and the CLI's own messages pass. Anything else, such as what a crashing runtime prints, could hold what
 * must not be kept, and is dropped.
 */
async function forwardLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (line.startsWith('{"level":')) onLine(line)
    else if (/^roadveil: (error|hint): /.test(line)) onLine(scrubCredentials(line))
  }
}
