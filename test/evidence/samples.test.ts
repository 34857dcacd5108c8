import t from 'tap'
import { rawFrame } from '../../src/domain/frame.ts'
import { createSampler } from '../../src/evidence/samples.ts'

const T0 = Date.UTC(2026, 5, 1, 12)
const FPS = 5

/** Numbers of the frames that are kept of a piece of `frames` frames. */
function keptOf(frames: number, moments: readonly number[]): number[] {
  const sampler = createSampler(frames, FPS, moments)
  for (let i = 0; i < frames; i++) {
    const capturedAt = T0 + (1000 * i) / FPS
    sampler.take(
      rawFrame({ cameraId: 'c', sequence: i, capturedAt, width: 1, height: 1, planes: new Uint8Array(3) }),
    )
  }
  return sampler.samples().map(({ index }) => index)
}

await t.test('redaction is rehearsed on what may become a still, and in the middle', async (t) => {
  t.same(keptOf(20, [T0 + 730]), [4, 10, 19])
  t.same(keptOf(20, [T0 + 700]), [3, 4, 10, 19], 'either may be the nearest')
  t.same(keptOf(20, [T0 + 2_000, T0 + 3_800]), [10, 19], 'nothing is kept twice')
  t.same(keptOf(20, [T0 - 60_000]), [10, 19], 'a moment in another piece')
  t.same(keptOf(1, []), [0])
  t.same(keptOf(0, []), [])
})
