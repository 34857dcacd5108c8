import t from 'tap'
import type { ObjectClass } from '../../src/domain/detection.ts'
import { type Box, coverage } from '../../src/domain/geometry.ts'
import type { PathPoint } from '../../src/domain/track.ts'
import type { Findings } from '../../src/privacy/findings.ts'
import { planFootage } from '../../src/evidence/check.ts'
import { type FramePlan, planRegions } from '../../src/privacy/plan.ts'

const STEP_MS = 200

interface Seen {
  readonly objects?: readonly (readonly [ObjectClass, Box])[]
  readonly faces?: readonly Box[]
  readonly plates?: readonly Box[]
  /** Of plates; 0.9 where nothing is said. */
  readonly score?: number
}

const box = (x: number, y: number, w: number, h: number): Box => ({ x, y, w, h })

/** A clip of `count` frames of 1920x1080 at five frames a second. */
function clip(count: number, at: (index: number) => Seen): Findings[] {
  return Array.from({ length: count }, (_, index) => {
    const { objects = [], faces = [], plates = [], score = 0.9 } = at(index)
    return {
      sequence: index,
      capturedAt: index * STEP_MS,
      width: 1920,
      height: 1080,
      objects: objects.map(([kind, place]) => ({ class: kind, score: 0.9, box: place })),
      faces: faces.map((place) => ({ kind: 'face' as const, score: 0.9, box: place })),
      plates: plates.map((place) => ({ kind: 'plate' as const, score, box: place })),
    }
  })
}

function hides(plan: FramePlan | undefined, part: Box): boolean {
  return plan?.regions.some((region) => coverage(part, region.box) > 0.95) ?? false
}

/** The path of a car that stands in `place` for the frames `from` to `to`. */
function stands(place: Box, from: number, to: number): PathPoint[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    capturedAt: (from + i) * STEP_MS,
    box: place,
    seen: true,
  }))
}

await t.test(
  'a person behind another has the head hidden, too, when only the other face is found',
  async (t) => {
    const front = box(0.4, 0.3, 0.1, 0.5)
    const back = box(0.43, 0.26, 0.11, 0.56)
    const frontFace = box(0.435, 0.31, 0.03, 0.06)
    const backHead = box(0.47, 0.27, 0.03, 0.06)
    const frames = clip(5, () => ({
      objects: [
        ['person', front],
        ['person', back],
      ],
      faces: [frontFace],
    }))
    for (const plan of planRegions(frames, [])) {
      t.ok(hides(plan, frontFace))
      t.ok(hides(plan, backHead))
    }
  },
)

await t.test(
  'of a person who fills the picture all of the head is hidden where no face is found',
  async (t) => {
    const person = box(0.3, 0.2, 0.4, 0.8)
    const head = box(0.4, 0.2, 0.2, 0.4)
    for (const plan of planRegions(
      clip(3, () => ({ objects: [['person', person]] })),
      [],
    )) {
      t.ok(hides(plan, head))
    }
  },
)

await t.test('a face that is only followed hides the whole head', async (t) => {
  const person = box(0.4, 0.3, 0.1, 0.5)
  const frames = clip(5, (index) => ({
    objects: [['person', person]],
    faces: index === 2 ? [] : [box(0.43, 0.32, 0.02, 0.05)],
  }))
  const plans = planRegions(frames, [])
  const turned = box(0.46, 0.32, 0.02, 0.05)
  t.ok(hides(plans[2], turned), 'where the face was missed')
  t.notOk(hides(plans[0], turned), 'not where it was found')
})

await t.test('a cyclist has a head, though the bicycle was seen first', async (t) => {
  const place = (index: number): Box => box(0.3 + 0.01 * index, 0.4, 0.1, 0.3)
  const frames = clip(6, (index) => ({
    objects: index === 0 ? [['bicycle', place(index)]] : [['person', place(index)]],
  }))
  const plans = planRegions(frames, [])
  t.ok(hides(plans[4], box(0.35, 0.41, 0.03, 0.05)))
})

await t.test('a plate that may be none leaves the other places of plates hidden', async (t) => {
  const car = box(0.2, 0.3, 0.3, 0.4)
  const rear = box(0.3, 0.6, 0.08, 0.05)
  const found = (score: number): Findings[] =>
    clip(1, () => ({ objects: [['car', car]], plates: [box(0.22, 0.5, 0.03, 0.03)], score }))
  t.ok(hides(planRegions(found(0.61), [])[0], rear))
  t.notOk(hides(planRegions(found(0.9), [])[0], rear))
})

await t.test('what is doubted where it is found counts for no more where it is sure elsewhere', async (t) => {
  const car = box(0.2, 0.3, 0.3, 0.4)
  const rear = box(0.3, 0.6, 0.08, 0.05)
  const lamp = box(0.22, 0.5, 0.03, 0.03)
  const frames = clip(3, (index) => ({
    ...{ objects: [['car', car]], plates: index === 1 ? [] : [lamp] },
    score: index === 0 ? 0.69 : 0.6,
  }))
  const plans = planRegions(frames, [])
  t.notOk(hides(plans[0], rear))
  t.ok(hides(plans[1], rear), 'where it is only followed')
  t.ok(hides(plans[2], rear), 'where it is found less surely')
})

await t.test('lettering that takes half of a van is not its plate', async (t) => {
  const rear = box(0.3, 0.6, 0.08, 0.05)
  const found = (kind: ObjectClass): FramePlan | undefined =>
    planRegions(
      clip(1, () => ({ objects: [[kind, box(0.2, 0.3, 0.3, 0.4)]], plates: [box(0.25, 0.4, 0.15, 0.06)] })),
      [],
    )[0]
  t.ok(hides(found('truck'), rear))
  t.notOk(hides(found('motorcycle'), rear), 'motorcycles are hardly wider than plates')
})

await t.test("a plate is hidden where its vehicle's box is a little off", async (t) => {
  const car = box(0.3, 0.3, 0.2, 0.3)
  const frames = clip(3, (index) => ({
    objects: [['car', index === 1 ? { ...car, y: car.y - 0.015 } : car]],
    plates: index === 1 ? [] : [box(0.38, 0.5, 0.05, 0.02)],
  }))
  t.ok(hides(planRegions(frames, [])[1], box(0.38, 0.5, 0.05, 0.02)))
})

await t.test('a vehicle that comes in has its plate where it was before it was all to be seen', async (t) => {
  const car = (index: number): Box => box(0.4, 0.8 - 0.1 * index, 0.2, 0.3)
  const plate = (index: number): Box => ({ x: 0.47, y: car(index).y + 0.19, w: 0.05, h: 0.02 })
  const visible = (index: number): Box => ({ ...car(index), h: Math.min(0.3, 1 - car(index).y) })
  const frames = clip(4, (index) => ({
    objects: [['car', visible(index)]],
    plates: index === 0 ? [] : [plate(index)],
  }))
  t.ok(hides(planRegions(frames, [])[0], { ...plate(0), h: 0.01 }))
})

await t.test(
  'the windows of a vehicle that goes out of the picture are hidden down to its edge',
  async (t) => {
    const car = (index: number): Box => box(0.4, 0.5 + 0.18 * index, 0.2, 0.3)
    const visible = (index: number): Box => ({ ...car(index), h: Math.min(0.3, 1 - car(index).y) })
    const plans = planRegions(
      clip(3, (index) => ({ objects: [['car', visible(index)]] })),
      [],
      { maskOccupants: true },
    )
    t.ok(hides(plans[2], box(0.42, 0.9, 0.16, 0.1)))
  },
)
await t.test(
  'a plate that is only followed to a vehicle from elsewhere is not taken for its own',
  async (t) => {
    const car = box(0.2, 0.3, 0.3, 0.4)
    const rear = box(0.4, 0.62, 0.08, 0.05)
    const elsewhere = box(0.22, 0.5, 0.04, 0.03)
    const frames = (seenAt: readonly number[]): Findings[] =>
      clip(5, (index) => ({
        objects: index >= 3 ? [['car', car]] : [],
        plates: seenAt.includes(index) ? [elsewhere] : [],
      }))
    t.ok(hides(planRegions(frames([0, 1]), [])[3], rear))
    t.notOk(hides(planRegions(frames([0, 1, 3]), [])[3], rear), 'found there, it is')
  },
)

await t.test('nothing is followed across a cut', async (t) => {
  const plate = box(0.4, 0.6, 0.06, 0.03)
  const frames = clip(9, (index) => ({ plates: index < 4 ? [plate] : [] }))
  const cutAt = (at: number): FramePlan[] =>
    planRegions(
      frames.map((frame, index) => (index === at ? { ...frame, afterCut: true } : frame)),
      [],
    )
  t.ok(hides(cutAt(-1)[5], plate))
  const plans = cutAt(4)
  t.ok(hides(plans[3], plate))
  t.ok(plans.slice(4).every(({ regions }) => regions.length === 0))
})

await t.test("the offender's path says nothing about what is in its place after a cut", async (t) => {
  const place = box(0.3, 0.4, 0.3, 0.3)
  const plate = box(0.42, 0.6, 0.06, 0.03)
  const frames = clip(12, () => ({ objects: [['car', place]], plates: [plate] })).map((frame, index) =>
    index === 8 ? { ...frame, afterCut: true } : frame,
  )
  const plans = planRegions(frames, stands(place, 0, 7))
  t.ok(plans.slice(0, 8).every((plan) => plan.offenderPlate))
  t.ok(plans.slice(8).every((plan) => !plan.offenderPlate && hides(plan, plate)))
  const checked = planFootage({ findings: frames, readings: new Map() }, stands(place, 0, 11), false)
  t.same(
    checked.map(({ plan }) => plan.offenderPlate !== undefined),
    frames.map((_, index) => index < 8),
    'live analysis does not know of the cut: its path counts in one shot',
  )
})

await t.test("in a far corner of a 4K picture a small vehicle's plate area is hidden", async (t) => {
  const car = box(0.1, 0.1, 0.06, 0.05)
  const frames = clip(3, () => ({ objects: [['car', car]] })).map((frame) => ({
    ...frame,
    width: 3840,
    height: 2160,
  }))
  t.ok(hides(planRegions(frames, [])[1], box(0.12, 0.13, 0.02, 0.015)))
})

await t.test(
  "only the offender's plate stays, and only while its car keeps to the offender's path",
  async (t) => {
    const place = box(0.3, 0.4, 0.3, 0.3)
    const plate = box(0.42, 0.6, 0.06, 0.03)
    // The offender leaves at frame 8, and in the same second another car takes its place.
    const frames = clip(20, () => ({ objects: [['car', place]], plates: [plate] }))
    const away = box(0.8, 0.1, 0.1, 0.1)
    const path = [...stands(place, 0, 8), ...stands(away, 9, 19)]
    const plans = planRegions(frames, path)
    t.ok(plans.slice(0, 8).every((plan) => plan.offenderPlate && !hides(plan, plate)))
    t.ok(plans.slice(9).every((plan) => !plan.offenderPlate && hides(plan, plate)))
  },
)

await t.test("beyond the end of the offender's path nothing is known to be its plate", async (t) => {
  const place = box(0.3, 0.4, 0.3, 0.3)
  const plate = box(0.42, 0.6, 0.06, 0.03)
  const frames = clip(20, () => ({ objects: [['car', place]], plates: [plate] }))
  const plans = planRegions(frames, stands(place, 0, 10))
  t.ok(plans[5]?.offenderPlate)
  t.ok(plans.slice(14).every((plan) => !plan.offenderPlate && hides(plan, plate)))
})

await t.test(
  'where occupants sit is hidden where that is wanted, in vehicles that are large enough',
  async (t) => {
    const near = box(0.1, 0.4, 0.2, 0.2)
    const far = box(0.7, 0.3, 0.04, 0.04)
    const cyclist = box(0.5, 0.5, 0.05, 0.2)
    const frames = clip(5, () => ({
      objects: [
        ['car', near],
        ['car', far],
        ['bicycle', cyclist],
      ],
    }))
    const windscreens = (maskOccupants: boolean): Box[] =>
      planRegions(frames, stands(near, 0, 4), { maskOccupants })[2]?.regions.flatMap(
        ({ kind, box: place }) => (kind === 'windscreen' ? [place] : []),
      ) ?? []
    t.strictSame(windscreens(false), [])
    const [only, ...more] = windscreens(true)
    t.strictSame(more, [])
    t.ok(only && coverage(box(0.12, 0.42, 0.16, 0.06), only) > 0.99, "the offender's, too")
    t.ok(only && coverage(box(0.1, 0.52, 0.2, 0.08), only) === 0, 'not where plates are')
  },
)
