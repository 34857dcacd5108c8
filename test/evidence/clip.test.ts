import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { env } from 'node:process'
import t from 'tap'
import { rawFrame } from '../../src/domain/frame.ts'
import { openClipEncoder } from '../../src/evidence/clip.ts'
import { redactFrame } from '../../src/privacy/redact.ts'

await t.test('the encoder is not talked into writing a file by the environment', async (t) => {
  const report = join(t.testdir(), 'report.log')
  env['FFREPORT'] = `file=${report}:level=48`
  t.teardown(() => {
    delete env['FFREPORT']
  })
  const [width, height] = [64, 48]
  const planes = new Uint8Array(width * height * 3)
  const frame = rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, width, height, planes })
  await using encoder = openClipEncoder({ width, height }, 5)
  await encoder.write(redactFrame(frame, []))
  t.ok((await encoder.finish()).length > 0)
  t.notOk(existsSync(report))
})
