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
    /** How colours are coded, as the stream is to say; of all values, or of the limited range. */
    readonly colours?: { readonly matrix: string; readonly range: 'pc' | 'tv' }
  } = {},
): Promise<string> {
  const { size = '640x352', fps = 25, seconds = 6, codec = 'libx264' } = options
  const { matrix, range = 'tv' } = options.colours ?? {}
  const said = matrix === undefined ? [] : ['-colorspace', matrix, '-color_range', range]
  const pixels = range === 'pc' ? 'yuvj420p' : 'yuv420p'
  const keyEvery = String(options.keyEvery ?? fps)
  await run('ffmpeg', [
    ...['-v', 'error', '-nostdin', '-y', '-f', 'lavfi'],
    ...['-i', options.source ?? `testsrc2=size=${size}:rate=${fps}:duration=${seconds}`],
    ...['-c:v', codec, '-preset', 'veryfast', '-pix_fmt', pixels, '-bf', '2', '-g', keyEvery],
    ...said,
    ...(codec === 'libx265' ? ['-x265-params', 'log-level=error'] : ['-sc_threshold', '0']),
    file,
  ])
  return file
}
