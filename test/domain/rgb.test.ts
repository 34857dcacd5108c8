import t from 'tap'
import { MATRICES, type Matrix } from '../../src/domain/colour.ts'
import { rawVideoFrame, videoFrameBytes } from '../../src/domain/frame.ts'
import { rawRgb, redactedRgb } from '../../src/domain/rgb.ts'
import { redactVideoFrame } from '../../src/privacy/redact.ts'
import { execFileSync } from 'node:child_process'

await t.test('colours become what ffmpeg makes of them, in every matrix and at odd sizes', async (t) => {
  const size = { width: 35, height: 21 }
  const planes = new Uint8Array(videoFrameBytes(size))
  for (let i = 0; i < planes.length; i++) planes[i] = i < 35 * 21 ? (i * 7) % 256 : 0
  // Two colours, left and right: where they meet ffmpeg mixes them.
  for (let i = 0; i < 2 * 18 * 11; i++) planes[35 * 21 + i] = (i % 18 < 9 ? 60 : 190) + (i < 18 * 11 ? 0 : 17)
  const head = { format: 'yuv420p', cameraId: 'c', sequence: 3, capturedAt: 120 } as const
  for (const matrix of Object.keys(MATRICES) as Matrix[]) {
    const args = [
      '-v',
      'error',
      '-f',
      'rawvideo',
      '-pixel_format',
      'yuv420p',
      '-video_size',
      '35x21',
      '-i',
      'pipe:0',
    ]
    const filter = `scale=in_color_matrix=${MATRICES[matrix]}:in_range=tv:flags=accurate_rnd+full_chroma_int,format=gbrp`
    const scaled = ['-vf', filter, '-f', 'rawvideo', 'pipe:1']
    const expected = execFileSync('ffmpeg', [...args, ...scaled], { input: planes })
    const frame = rawVideoFrame({ ...head, matrix, ...size, planes })
    const made = rawRgb(frame)
    t.match(made, { cameraId: 'c', sequence: 3, capturedAt: 120, ...size })
    t.same(redactedRgb(redactVideoFrame(frame, [])).planes, made.planes)
    t.equal(expected.length, made.planes.length)
    const differences = [...made.planes].map((value, i) => Math.abs(value - (expected[i] ?? 0)))
    const worst = Math.max(...differences.filter((_, i) => Math.abs((i % 35) - 17.5) > 5))
    t.ok(worst <= 2, `${matrix}: ${worst}`)
  }
})
