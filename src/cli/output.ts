import { isRoadveilError, RoadveilError } from '../errors.ts'
import { foreignErrorText } from '../log.ts'
import { scrubCredentials, visible } from '../scrub.ts'

/**
 * The one place for output: answers go to stdout, everything else to stderr. A line stays one line, and no name in it can steer the
 * terminal.
 */
export interface Output {
  /** A line of the answer. */
  answer(line: string): void
  /** The whole answer as one JSON value. */
  json(value: unknown): void
  /** What a person wants to know beside the answer. */
  note(line: string): void
}

/** Output to this process's streams. A reader that goes away (`| head`) ends the process quietly. */
export function createOutput(): Output {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? 0 : 1)
    })
  }
  return {
    answer: (line) => void process.stdout.write(`${visible(line)}\n`),
    json: (value) => void process.stdout.write(`${jsonText(value)}\n`),
    note: (line) => void process.stderr.write(`${visible(line)}\n`),
  }
}

/** A failure that is in the log already, with the exit code that it ends the process with. */
export class LoggedError extends Error {
  readonly exitCode: 1 | 2 | 3 | 4

  constructor(cause: unknown, exitCode: 1 | 2 | 3 | 4 = isRoadveilError(cause) ? cause.exitCode : 1) {
    super('logged already', { cause })
    this.exitCode = exitCode
  }
}

/** Says what went wrong and what to do, and gives the exit code. A stack trace helps nobody on the street. */
export function reportError(output: Output, error: unknown): 1 | 2 | 3 | 4 {
  if (error instanceof LoggedError) return error.exitCode
  const known = isRoadveilError(error)
    ? error
    : new RoadveilError('ERR_INTERNAL', `unexpected ${foreignErrorText(error)}`)
  const [headline = '', ...details] = known.message.split('\n').map(scrubCredentials)
  output.note(`roadveil: error: ${headline} [${known.code}]`)
  // Indented: no name with a line break in it can pass for a line of ours.
  for (const line of details) output.note(line.startsWith('  ') ? line : `  ${line}`)
  output.note(`roadveil: hint: ${known.hint}`)
  return known.exitCode
}

/** JSON in lines, in which only the lines' ends are control characters. */
function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).split('\n').map(visible).join('\n')
}
