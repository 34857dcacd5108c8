import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Renders a moving test picture to a file. The encoder follows from the options, the container from the file's name. */
export async function renderVideo(
  file: string,
  options: {
    readonly size?: string
    readonly fps?: number
    readonly seconds?: number
    /** Pictures from one key frame to the next. */
    readonly keyEvery?: number
    readonly codec?: 'libx264' | 'libx265'
    readonly source?: string
  } = {},
): Promise<string> {
  const { size = '640x352', fps = 25, seconds = 6, codec = 'libx264' } = options
  const keyEvery = String(options.keyEvery ?? fps)
  await run('ffmpeg', [
    ...['-v', 'error', '-nostdin', '-y', '-f', 'lavfi'],
    ...['-i', options.source ?? `testsrc2=size=${size}:rate=${fps}:duration=${seconds}`],
    ...['-c:v', codec, '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-bf', '2', '-g', keyEvery],
    ...(codec === 'libx265' ? ['-x265-params', 'log-level=error'] : ['-sc_threshold', '0']),
    file,
  ])
  return file
}
