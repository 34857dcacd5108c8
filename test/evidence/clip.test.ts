import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'
import t from 'tap'
import type { Matrix } from '../../src/domain/colour.ts'
import { rawFrame } from '../../src/domain/frame.ts'
import { openClipEncoder } from '../../src/evidence/clip.ts'
import { redactVideoFrame } from '../../src/privacy/redact.ts'
import { asVideo } from '../support/as-video.ts'

await t.test('the encoder is not talked into writing a file by the environment', async (t) => {
  const report = join(t.testdir(), 'report.log')
  env['FFREPORT'] = `file=${report}:level=48`
  t.teardown(() => {
    delete env['FFREPORT']
  })
  t.ok((await encodeClip('bt709')).length > 0)
  t.notOk(existsSync(report))
})

await t.test('a clip says how its colours are coded, since players cannot know', async (t) => {
  for (const matrix of ['bt709', 'bt470bg', 'bt2020nc'] as const) {
    const args = ['-v', 'error', '-show_entries', 'stream=color_space,color_range', '-of', 'csv=p=0', '-']
    const said = execFileSync('ffprobe', args, { input: await encodeClip(matrix), encoding: 'utf8' })
    t.equal(said.trim(), `tv,${matrix}`)
  }
})

async function encodeClip(matrix: Matrix): Promise<Uint8Array> {
  const size = { width: 64, height: 48 }
  const planes = new Uint8Array(size.width * size.height * 3)
  const frame = asVideo(rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, ...size, planes }))
  await using encoder = openClipEncoder({ ...size, matrix }, 5)
  await encoder.write(redactVideoFrame(frame, []))
  return await encoder.finish()
}
