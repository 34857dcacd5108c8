import { join } from 'node:path'
import t from 'tap'
import { ffmpeg, run } from './files.ts'
import { FINDING_NOTHING } from '../support/detectors.ts'

const folder = t.testdir()

/** Ways in which cameras and phones code their colours. */
const CODINGS: Readonly<Record<string, readonly string[]>> = {
  'as most do': ['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-qp', '1'],
  'full range': ['-pix_fmt', 'yuvj420p', '-c:v', 'libx264', '-qp', '1'],
  'ten bits': ['-pix_fmt', 'yuv420p10le', '-c:v', 'ffv1'],
  'ten bits, full range': [
    '-vf',
    'scale=out_range=pc,format=yuv420p10le',
    '-color_range',
    'pc',
    '-c:v',
    'ffv1',
  ],
  'all colours': ['-pix_fmt', 'yuv444p', '-c:v', 'ffv1'],
  'half the colours': ['-pix_fmt', 'yuv422p', '-c:v', 'ffv1'],
  'red, green and blue': ['-pix_fmt', 'bgr0', '-c:v', 'ffv1'],
  grey: ['-pix_fmt', 'gray', '-c:v', 'ffv1'],
}

await t.test('a video keeps its colours and its brightness, however they are coded', async (t) => {
  const inputs = Object.entries(CODINGS).map(([name, coding]) => {
    const file = join(folder, `${name.replaceAll(/\W/g, '-')}.mkv`)
    ffmpeg('-f', 'lavfi', '-i', 'smptebars=size=322x240:rate=10:duration=0.2', ...coding, file)
    return file
  })
  const out = join(folder, 'out')
  t.same((await run(inputs, out, { detectors: FINDING_NOTHING })).codes, {})
  for (const input of inputs) {
    const name = input.replace(/^.*\//, '')
    const [before, after] = [input, join(out, `${name}.mp4`)].map((file) =>
      ffmpeg('-i', file, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'),
    )
    // In the middle of each of the seven bars, and of the parts below them.
    const points = [100, 175, 220].flatMap((y) =>
      [20, 66, 112, 158, 204, 250, 296].map((x) => 3 * (y * 322 + x)),
    )
    const differences = points.flatMap((at) =>
      [0, 1, 2].map((i) => (after?.[at + i] ?? 0) - (before?.[at + i] ?? 0)),
    )
    const worst = Math.max(...differences.map(Math.abs))
    t.ok(worst <= 6, `${name}: ${worst}`)
  }
})
