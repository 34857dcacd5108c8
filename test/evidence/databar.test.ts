import t from 'tap'
import { rawFrame } from '../../src/domain/frame.ts'
import { databarLine, databarRows, drawDatabar } from '../../src/evidence/databar.ts'
import { redactVideoFrame } from '../../src/privacy/redact.ts'
import { asVideo } from '../support/as-video.ts'

const text = {
  site: 'bus-stop-12',
  camera: 'cam-1',
  capturedAt: Date.UTC(2026, 2, 29, 1, 2, 3, 45),
  frameNumber: 17,
}

await t.test('the databar names site, camera, UTC time to the millisecond and frame number', async (t) => {
  t.equal(databarLine(text), 'bus-stop-12  cam-1  2026-03-29T01:02:03.045Z  #000017')
})

await t.test('the databar is drawn under the picture and leaves the picture alone', async (t) => {
  for (const [width, height] of [
    [1920, 1080],
    [640, 352],
    [320, 240],
  ] as const) {
    const rows = databarRows(width)
    t.equal(rows % 2, 0)
    const planes = new Uint8Array(width * height * 3).fill(100)
    const frame = asVideo(rawFrame({ cameraId: 'c', sequence: 0, capturedAt: 0, width, height, planes }))
    const image = redactVideoFrame(frame, [], { extraRows: rows })
    drawDatabar(image, text)
    t.same(image.planes.subarray(0, width * height), frame.planes.subarray(0, width * height), 'the picture')
    const colours = image.planes.subarray(width * (height + rows))
    t.ok(
      colours.every((value) => value === 128),
      'no colour',
    )
    const bar = image.planes.subarray(width * height, width * (height + rows))
    const bright = bar.filter((value) => value > 150).length / bar.length
    t.ok(bright > 0.03 && bright < 0.3, `${Math.round(bright * 100)} % of the bar is ink`)
    t.equal(
      Math.max(...bar.filter((_, i) => i % width === width - 1)),
      16,
      'the line does not run out of the picture',
    )
  }
})
