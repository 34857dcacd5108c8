import { readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { findModel, resolveModelFile } from '../../src/models/manifest.ts'
import { openObjectDetector } from '../../src/detection/objects.ts'
import { openPlateTextNetwork } from '../../src/detection/plate-text.ts'
import { openSession } from '../../src/detection/session.ts'
import { rawFrame } from '../../src/domain/frame.ts'
import { loadModelSource } from '../../src/models/source.ts'

await t.test('every network of the release is what its manifest entry says', async (t) => {
  const { manifest, directory: release } = await loadModelSource()
  for (const entry of manifest.models) {
    const session = await openSession(entry, release)
    t.equal((await readFile(await resolveModelFile(entry, release))).length, entry.bytes, entry.file)
    await session.close()
  }
})

await t.test('a file that was changed by one byte is refused', async (t) => {
  const { manifest, directory: release } = await loadModelSource()
  const entry = findModel(manifest, 'plate-text')
  const content = await readFile(await resolveModelFile(entry, release))
  content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 1
  const directory = t.testdir({})
  await writeFile(join(directory, entry.file), content)
  await t.rejects(openSession(entry, directory), { code: 'ERR_MODEL_HASH' })
})

await t.test('a network with other inputs or outputs than its entry is refused', async (t) => {
  const { manifest, directory: release } = await loadModelSource()
  const entry = findModel(manifest, 'objects')
  const { input, outputs } = entry
  const wrong = [
    { ...entry, input: { ...input, name: 'picture' } },
    { ...entry, input: { ...input, type: 'float32' as const } },
    { ...entry, input: { ...input, shape: [1, 3, 640, 640] } },
    { ...entry, input: { ...input, shape: ['batch', 3, 'height', 'width'] } },
    { ...entry, outputs: [{ name: 'objects', shape: ['cells', 15] }] },
    { ...entry, outputs: [...outputs, { name: 'more', shape: [1] }] },
  ]
  for (const [index, other] of wrong.entries()) {
    await t.rejects(openSession(other, release), { code: 'ERR_MODEL_SHAPE' }, `wrong entry ${index}`)
  }
})

await t.test('a file that is no network is refused', async (t) => {
  const { manifest } = await loadModelSource()
  const entry = findModel(manifest, 'plate-text')
  const directory = t.testdir({ [entry.file]: 'no network' })
  const sha256 = createHash('sha256').update('no network').digest('hex')
  await t.rejects(openSession({ ...entry, sha256 }, directory), { code: 'ERR_MODEL_SHAPE' })
  await t.rejects(openSession(entry, directory), { code: 'ERR_MODEL_HASH' })
})

await t.test('calls at the same time are answered one after the other', async (t) => {
  const detector = await openObjectDetector(await loadModelSource())
  const size = 416
  const arrival = { hostAt: 0, monotonicMs: 0 }
  const shown = [0, 80, 160, 240].map((grey) => {
    const planes = new Uint8Array(3 * size * size).fill(grey)
    for (let i = 0; i < planes.length; i += 7) planes[i] = 255 - grey
    const frame = rawFrame({
      cameraId: 'cam-1',
      sequence: 0,
      capturedAt: 0,
      width: size,
      height: size,
      planes,
    })
    return { ...frame, contentWidth: size, contentHeight: size, arrival }
  })
  const alone = []
  for (const frame of shown) alone.push(await detector.detect(frame))
  t.strictSame(await Promise.all(shown.map((frame) => detector.detect(frame))), alone)
  await detector.close()
})

await t.test('a frame or picture of the wrong size is refused', async (t) => {
  const detector = await openObjectDetector(await loadModelSource())
  const planes = new Uint8Array(3 * 40 * 40)
  const small = {
    ...rawFrame({ cameraId: 'cam-1', sequence: 0, capturedAt: 0, width: 40, height: 40, planes }),
    contentWidth: 40,
    contentHeight: 40,
    arrival: { hostAt: 0, monotonicMs: 0 },
  }
  await t.rejects(detector.detect(small), { code: 'ERR_DETECTION_FAILED' })
  await detector.close()
  const text = await openPlateTextNetwork(await loadModelSource())
  await t.rejects(text.run(new Uint8Array(100), 1), { code: 'ERR_DETECTION_FAILED' })
  t.equal((await text.run(new Uint8Array(2 * 128 * 64 * 3), 2)).length, 2 * text.slots * text.alphabet.length)
  await text.close()
})
