import t from 'tap'
import { type RawFrame, rawFrame } from '../../src/domain/frame.ts'
import { type EvidenceDeps, searchFootage } from '../../src/evidence/check.ts'
import { detectorsOf } from '../support/detectors.ts'

const SIZE = { width: 320, height: 192 }

/** Frames of a piece of footage at five a second, of the pattern that each is given. */
async function* framesOf(patterns: readonly number[]): AsyncGenerator<RawFrame> {
  for (const [sequence, pattern] of patterns.entries()) {
    const planes = new Uint8Array(SIZE.width * SIZE.height * 3).map((_, at) => (pattern * (at >> 5)) % 251)
    yield rawFrame({ cameraId: 'c', sequence, capturedAt: 200 * sequence, ...SIZE, planes })
  }
}

/** How many looks each frame got, and after which a cut was seen. */
async function searched(patterns: readonly number[]) {
  const looks = new Map<number, number>()
  const deps = {
    detectors: detectorsOf(async ({ sequence }) => {
      looks.set(sequence, (looks.get(sequence) ?? 0) + 1)
      return []
    }),
    plateText: { read: async () => [] },
  } as unknown as EvidenceDeps
  const span = { from: 0, to: 200 * patterns.length }
  async function* none() {}
  const footage = { span, frames: () => framesOf(patterns), videoFrames: none }
  const { findings } = await searchFootage(footage, { path: [], fps: 5 }, deps, AbortSignal.timeout(60_000))
  return { looks, cuts: findings.flatMap(({ afterCut }, index) => (afterCut ? [index] : [])) }
}

await t.test('a camera that switches or glitches is searched anew from there on', async (t) => {
  const { looks, cuts } = await searched([1, 1, 1, 9, 1, 1, 1, 1])
  t.same(cuts, [3, 4])
  t.ok((looks.get(3) ?? 0) >= 4, 'every look')
  t.ok((looks.get(2) ?? 0) >= 2 && (looks.get(4) ?? 0) >= 4, 'and those beside it')
  t.equal(looks.get(7), looks.get(0), 'the last frame as the first')
  t.same((await searched([1, 1, 1, 1])).cuts, [])
})
