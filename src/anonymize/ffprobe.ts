import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { confined } from '../camera/confined.ts'
import { RoadveilError } from '../errors.ts'

/** A file as far as it is read. */
export interface FilePart {
  readonly file: string
  /** Only what comes before this byte is read: of a recording that was cut off, what is whole. Infinite for all of it. */
  readonly end: number
}

const TIMEOUT_MS = 30_000
const MAX_ANSWER_BYTES = 2 ** 28

/**
 * Asks ffprobe.
 *
 * @param timeout milliseconds; 0 for none, where it has to read a file of any length
 * @throws RoadveilError ERR_INPUT_UNREADABLE, ERR_FFMPEG_MISSING; the signal's reason when aborted
 */
export async function askFfprobe(
  args: readonly string[],
  signal: AbortSignal,
  timeout = TIMEOUT_MS,
): Promise<string> {
  const { command, args: all, env } = confined('ffprobe', ['-v', 'error', ...args])
  try {
    const { stdout } = await promisify(execFile)(command, [...all], {
      ...{ env, signal, timeout, maxBuffer: MAX_ANSWER_BYTES },
    })
    return stdout
  } catch (cause) {
    signal.throwIfAborted()
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT' || code === 127)
      throw new RoadveilError('ERR_FFMPEG_MISSING', 'ffprobe could not be started', { cause })
    throw new RoadveilError('ERR_INPUT_UNREADABLE', 'it is no picture or video that can be read', { cause })
  }
}

/** A pathname can be taken for nothing else, and nothing but files is opened; pictures of any size are refused in time. */
export function safeInput({ file, end }: FilePart, maxPixels: number): string[] {
  const [protocols, url] =
    end === Infinity
      ? ['file', `file:${file}`]
      : ['file,subfile', `subfile,,start,0,end,${end},,:file:${file}`]
  return ['-protocol_whitelist', protocols, '-max_pixels', String(maxPixels), '-i', url]
}
