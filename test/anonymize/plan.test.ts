import t from 'tap'
import { planBetween } from '../../src/anonymize/between.ts'
import { repairSearch } from '../../src/anonymize/leaks.ts'
import { type SeenFrame, searchVideo } from '../../src/anonymize/search-video.ts'
import { planWindows } from '../../src/anonymize/windows.ts'
import type { Region } from '../../src/domain/evidence.ts'
import { type RawVideoFrame, rawVideoFrame } from '../../src/domain/frame.ts'
import { type Box, coverage } from '../../src/domain/geometry.ts'
import type { FramePlan } from '../../src/privacy/plan.ts'
import { FINDING_NOTHING, detectorsOf } from '../support/detectors.ts'

const plate = (x: number): Region => ({
  ...{ kind: 'plate', source: 'detected', score: 0.9, box: { x, y: 0.5, w: 0.05, h: 0.02 } },
})
const covered = (box: Box, { regions }: FramePlan): boolean =>
  regions.some((region) => coverage(box, region.box) > 0.99)

await t.test('between two searched frames everything of both is hidden, and the way between', async (t) => {
  const plan = planBetween({ regions: [plate(0.1)] }, { regions: [plate(0.25)] })
  for (const x of [0.1, 0.17, 0.25]) t.ok(covered(plate(x).box, plan), `at ${x}`)
  t.ok(plan.regions.every(({ source }) => source === 'followed'))
  const grown = plate(0.25).box
  const larger = { ...plate(0.25), box: { ...grown, y: 0.55, w: 1.7 * grown.w, h: 1.7 * grown.h } }
  const way = planBetween({ regions: [plate(0.1)] }, { regions: [larger] })
  t.ok(covered({ ...plate(0.17).box, y: 0.53 }, way), 'also to where it is less sure how far it reaches')
  const apart = planBetween({ regions: [plate(0.1)] }, { regions: [plate(0.9)] })
  t.notOk(covered(plate(0.5).box, apart), 'two that are not the same')
})

await t.test('a plate stays readable between two frames only when it does in both', async (t) => {
  const kept = { kind: 'plate', box: plate(0.1).box, score: 0.9 } as const
  const both = planBetween({ regions: [], offenderPlate: kept }, { regions: [], offenderPlate: kept })
  t.ok(both.offenderPlate && coverage(kept.box, both.offenderPlate.box) > 0.99)
  t.same(both.regions, [])
  const one = planBetween({ regions: [], offenderPlate: kept }, { regions: [plate(0.11)] })
  t.equal(one.offenderPlate, undefined)
  t.ok(covered(kept.box, one))
})

/** Frames at these times, milliseconds, black or of the pattern that is given. */
async function* framesAt(
  times: readonly number[],
  patternOf: (sequence: number) => number = () => 0,
): AsyncGenerator<RawVideoFrame> {
  for (const [sequence, capturedAt] of times.entries())
    yield rawVideoFrame({
      ...{ format: 'yuv420p', matrix: 'bt709', cameraId: 'file' },
      sequence,
      capturedAt,
      width: 64,
      height: 64,
      planes: new Uint8Array(64 * 64 * 1.5).map((_, at) => (patternOf(sequence) * (at >> 4)) % 251),
    })
}
const ofFps = (fps: number) => ({
  fps,
  colours: { matrix: 'bt709', primaries: undefined, transfer: undefined, pixelAspect: 1 } as const,
})
const searchedTimes = async (times: readonly number[], fps: number): Promise<number[]> =>
  (await Array.fromAsync(searchVideo(framesAt(times), ofFps(fps), FINDING_NOTHING, undefined)))
    .filter(({ findings }) => findings)
    .map(({ capturedAt }) => capturedAt)

await t.test(
  'frames are searched so often that no two searched ones are more than a tenth of a second apart',
  async (t) => {
    const every = (ms: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => Math.round(i * ms))
    t.same(await searchedTimes(every(100, 5), 10), [0, 100, 200, 300, 400])
    t.same(await searchedTimes(every(40, 8), 25), [0, 80, 160, 240, 280], 'and the last')
    t.same(await searchedTimes(every(1000 / 60, 14), 60), [0, 100, 200, 217])
    t.same(await searchedTimes([0, 10, 20, 500, 510, 2_000], 30), [0, 20, 500, 510, 2_000], 'uneven times')
    t.same(await searchedTimes([0], 25), [0])
  },
)

await t.test(
  'a picture between others is searched with every look, and so are those beside it',
  async (t) => {
    const looked = new Map<number, number>()
    const counting = detectorsOf(async ({ sequence }) => {
      looked.set(sequence, (looked.get(sequence) ?? 0) + 1)
      return []
    })
    const times = Array.from({ length: 12 }, (_, i) => i * 40)
    const frames = framesAt(times, (sequence) => (sequence === 5 ? 7 : 1))
    const seen = await Array.fromAsync(searchVideo(frames, ofFps(25), counting, undefined))
    const searched = seen.filter(({ findings }) => findings).map(({ number }) => number)
    t.same(searched.slice(0, 6), [0, 2, 4, 5, 6, 8])
    const cuts = seen.filter(({ findings }) => findings?.afterCut)
    t.same(
      cuts.map(({ number }) => number),
      [5, 6],
    )
    t.ok((looked.get(5) ?? 0) >= 4, 'as a still')
    t.ok((looked.get(4) ?? 0) >= 2, 'the last one before')
    t.equal(looked.get(11), looked.get(0), 'the last of all as the first')
  },
)

/** A video whose frames show one plate that drifts, every third of them searched. */
async function* seenFrames(count: number): AsyncGenerator<SeenFrame> {
  for (let number = 0; number < count; number++) {
    const seen = { number, capturedAt: number * 33 }
    const found = {
      kind: 'plate',
      box: { x: 0.1 + number * 1e-4, y: 0.5, w: 0.05, h: 0.02 },
      score: 0.9,
    } as const
    const findings = {
      ...{ sequence: number, capturedAt: seen.capturedAt, width: 1920, height: 1080, objects: [], faces: [] },
      plates: number % 90 < 45 ? [found] : [],
    }
    yield number % 3 === 0 || number === count - 1 ? { ...seen, findings } : seen
  }
}

await t.test('a long video is planned in windows as if it were one, frame by frame in order', async (t) => {
  const count = 2_500
  const plans = await Array.fromAsync(planWindows(seenFrames(count), [], {}))
  t.same(
    plans.map(({ seen }) => seen.number),
    Array.from({ length: count }, (_, i) => i),
  )
  const open = plans.filter(
    ({ seen: { number }, plan }) =>
      number % 90 < 44 && !covered({ x: 0.1 + number * 1e-4, y: 0.5, w: 0.05, h: 0.02 }, plan),
  )
  t.same(open, [], 'the plate is hidden wherever it is seen, across the edges of windows, too')
})

await t.test('what a second search finds between two searched frames counts for both', async (t) => {
  const leak = { kind: 'face', box: { x: 0.5, y: 0.5, w: 0.1, h: 0.1 }, score: 0.8 } as const
  const repaired = await Array.fromAsync(repairSearch(seenFrames(10), new Map([[4, [leak]]])))
  t.same(
    repaired.flatMap(({ number, findings }) => (findings?.faces.length ? [number] : [])),
    [3, 6],
  )
  t.equal(repaired.length, 10)
})
