import t from 'tap'
import type { Rule, ScheduleSlot, Zone } from '../../src/domain/rule.ts'
import type { Track } from '../../src/domain/track.ts'
import type { Violation } from '../../src/domain/violation.ts'
import { type Stay, createJudge } from '../../src/rules/judge.ts'
import { createTrackHistory } from '../../src/tracking/history.ts'
import { STEP_MS, trackAt, tracked } from '../support/tracks.ts'

const square: Zone = {
  id: 'z',
  shape: 'polygon',
  points: [
    { x: 0.2, y: 0.3 },
    { x: 0.8, y: 0.3 },
    { x: 0.8, y: 0.7 },
    { x: 0.2, y: 0.7 },
  ],
}
const eastward: Zone = { ...square, direction: { from: { x: 0.1, y: 0.5 }, to: { x: 0.9, y: 0.5 } } }
const base = { id: 'r', zoneId: 'z', classes: ['car', 'truck'], schedule: [], mode: 'warning' } as const
const noStopping: Rule = { ...base, kind: 'no-stopping', limitMs: 5_000 }
const lane: Rule = { ...base, kind: 'reserved-lane', minTravelShare: 0.5 }
const wrongWay: Rule = { ...base, kind: 'wrong-way' }

/** Judges one vehicle whose place at each frame is given; undefined for a frame without it. */
function run(
  rule: Rule,
  zone: Zone,
  places: readonly (readonly [number, number] | undefined)[],
  { startsAt = 0, more = () => ({}) }: { startsAt?: number; more?: (index: number) => Partial<Track> } = {},
): { violations: Violation[]; stays: (readonly Stay[])[] } {
  const history = createTrackHistory()
  const camera = { id: 'cam-1', timeZone: 'UTC', zones: [zone], rules: [rule] }
  const judge = createJudge(camera, { path: (id, from, to) => history.path(id, from, to) })
  const violations: Violation[] = []
  const stays: (readonly Stay[])[] = []
  places.forEach((place, index) => {
    const frame = tracked(startsAt + index * STEP_MS, place ? [trackAt(...place, more(index))] : [])
    history.record(frame)
    const step = judge.step(frame)
    violations.push(...step.violations)
    stays.push(step.stays)
  })
  return { violations, stays }
}

const stand = (seconds: number, x = 0.5, y = 0.5): [number, number][] =>
  Array.from({ length: seconds * 5 }, () => [x, y])
const drive = (from: number, to: number, frames = 20, y = 0.5): [number, number][] =>
  Array.from({ length: frames }, (_, i) => [from + ((to - from) * i) / (frames - 1), y])

await t.test(
  'standing in the zone for longer than the limit is one violation, at the frame that passes the limit',
  async (t) => {
    const { violations } = run(noStopping, square, [...drive(0, 0.5), ...stand(60)])
    t.equal(violations.length, 1)
    const violation = violations[0]
    if (!violation) return
    t.ok(Math.abs(violation.judgedAt - 19 * STEP_MS - 5_000) <= STEP_MS)
    t.equal(violation.enteredAt, 8 * STEP_MS, 'entered when its foot was first in the zone')
    t.equal(violation.arrivals.entered.hostAt, violation.enteredAt)
    t.ok(
      (violation.path[0]?.capturedAt ?? Infinity) < violation.enteredAt,
      'the path begins before the entry',
    )
    t.equal(violation.path.at(-1)?.capturedAt, violation.judgedAt)
  },
)

await t.test('standing for less, outside, or creeping on is none', async (t) => {
  t.same(run(noStopping, square, [...drive(0, 0.5), ...stand(4), ...drive(0.5, 1)]).violations, [])
  t.same(run(noStopping, square, stand(30, 0.1, 0.5)).violations, [])
  t.same(run(noStopping, square, drive(0.2, 0.8, 150)).violations, [], 'a queue that moves on')
})

await t.test('a box that jitters is still standing', async (t) => {
  const jitter = stand(10).map(([x, y], i): [number, number] => [
    x + 0.004 * Math.sin(i * 7),
    y + 0.004 * Math.cos(i * 5),
  ])
  t.equal(run(noStopping, square, jitter).violations.length, 1)
})

await t.test('a box that jumps for a moment, as somebody walks past, is still standing', async (t) => {
  const places = stand(10).map(([x, y], i): [number, number] => [x, i % 15 > 11 ? y - 0.05 : y])
  const { violations } = run(noStopping, square, places)
  t.equal(violations.length, 1)
  t.ok((violations[0]?.judgedAt ?? Infinity) < 6_500)
})

await t.test('moving on by a length begins the standing anew', async (t) => {
  t.same(run(noStopping, square, [...stand(4), ...stand(4, 0.6)]).violations, [])
  const { violations } = run(noStopping, square, [...stand(4), ...stand(8, 0.6)])
  t.equal(violations[0]?.judgedAt, 9_000)
})

await t.test('standing just outside, a foot that jitters into the zone is none', async (t) => {
  const places = stand(20).map((_, i): [number, number] => [0.5, i % 5 === 0 ? 0.698 : 0.704])
  t.same(run(noStopping, square, places).violations, [])
})

await t.test('a vehicle out of sight is not judged, and two seconds of that count at most', async (t) => {
  const lost = (from: number, to: number, seconds: number): Violation[] =>
    run(noStopping, square, stand(seconds), {
      more: (i) => ({ state: i >= from && i < to ? 'lost' : 'tracked' }),
    }).violations
  t.equal(lost(20, 28, 10)[0]?.judgedAt, 28 * STEP_MS, 'by the first frame that shows it again')
  // 1 s seen, 6 s out of sight of which 2 s count, then 2 s more.
  t.equal(lost(6, 35, 20)[0]?.judgedAt, 35 * STEP_MS + 2_000)
  t.same(lost(6, 100, 20), [])
})

await t.test('a gap between frames counts like one out of sight', async (t) => {
  const places = stand(12).map((place, i) => (i > 5 && i < 35 ? undefined : place))
  t.equal(run(noStopping, square, places).violations[0]?.judgedAt, 35 * STEP_MS + 2_000)
})

await t.test('a jump out of the zone of one second is no new stay, leaving it for longer is', async (t) => {
  const out = (seconds: number): [number, number][] => stand(seconds, 0.1, 0.5)
  t.equal(run(noStopping, square, [...stand(8), ...out(1), ...stand(8)]).violations.length, 1)
  t.equal(run(noStopping, square, [...stand(8), ...out(4), ...stand(8)]).violations.length, 2)
})

await t.test('other classes, persons and tentative tracks are not judged', async (t) => {
  for (const more of [{ class: 'bus' }, { class: 'person' }, { state: 'tentative' }] as const) {
    t.same(run(noStopping, square, stand(20), { more: () => more }).violations, [])
  }
})

await t.test('only time within the schedule counts', async (t) => {
  const slot: ScheduleSlot = { days: ['thu'], fromMinute: 60, toMinute: 120 } // 1970-01-01 was a Thursday
  const startsAt = 60 * 60_000 - 20_000
  const { violations } = run({ ...noStopping, schedule: [slot] }, square, stand(40), { startsAt })
  t.equal(violations.length, 1)
  t.equal(violations[0]?.judgedAt, 60 * 60_000 + 5_000)
  t.equal(violations[0]?.enteredAt, 60 * 60_000, 'who was there before enters when the rule begins to hold')
})

await t.test('an open stay is reported from the entry until it is judged or left', async (t) => {
  const { stays } = run(noStopping, square, [...drive(0, 0.5), ...stand(8)])
  t.same(stays[5], [])
  t.same(stays[20], [{ trackId: 'cam-1-1', ruleId: 'r', enteredAt: 8 * STEP_MS }])
  t.same(stays.at(-1), [], 'judged')
})

await t.test(
  'driving along a reserved lane is a violation once it is half of it, in both senses',
  async (t) => {
    for (const way of [drive(0, 1), drive(1, 0)]) {
      const { violations } = run(lane, square, [...way])
      t.equal(violations.length, 1)
      t.match(violations[0], { ruleKind: 'reserved-lane', mode: 'warning' })
    }
  },
)

await t.test('crossing a reserved lane, or stopping at its beginning, is none', async (t) => {
  const across = Array.from({ length: 20 }, (_, i): [number, number] => [0.5, 0.1 + i * 0.045])
  t.same(run(lane, square, across).violations, [])
  t.same(run(lane, square, [...drive(0, 0.35), ...stand(20, 0.35)]).violations, [])
})

await t.test('driving against the direction of a polygon is a violation, with it is none', async (t) => {
  t.equal(run(wrongWay, eastward, drive(1, 0)).violations.length, 1)
  t.same(run(wrongWay, eastward, drive(0, 1)).violations, [])
  t.same(
    run(wrongWay, eastward, [...drive(0, 0.6), ...drive(0.6, 0.5, 10), ...drive(0.5, 1)]).violations,
    [],
    'backing up a little',
  )
})

await t.test(
  'crossing a line against its direction is a violation, with it, beside it or along it is none',
  async (t) => {
    const line: Zone = {
      id: 'z',
      shape: 'line',
      points: [
        { x: 0.5, y: 0.2 },
        { x: 0.5, y: 0.8 },
      ],
      direction: { from: { x: 0.4, y: 0.5 }, to: { x: 0.6, y: 0.5 } },
    }
    const { violations } = run(wrongWay, line, drive(0.9, 0.1))
    t.equal(violations.length, 1)
    t.equal(violations[0]?.enteredAt, violations[0]?.judgedAt)
    t.same(run(wrongWay, line, drive(0.1, 0.9)).violations, [])
    t.same(run(wrongWay, line, drive(0.9, 0.1, 20, 0.95)).violations, [])
    t.same(run(wrongWay, line, stand(5, 0.7)).violations, [])
    const jitter = stand(10).map((_, i): [number, number] => [0.5 + 0.008 * Math.sin(i * 7), 0.5])
    t.same(
      run(wrongWay, line, [...drive(0.1, 0.5), ...jitter, ...drive(0.5, 0.9)]).violations,
      [],
      'stopping on it',
    )
    const hidden = drive(0.9, 0.1).map((place, i) => (i > 7 && i < 12 ? undefined : place))
    t.equal(run(wrongWay, line, hidden).violations.length, 1, 'crossing it out of sight')
  },
)

await t.test('a live rule is live from its effective date on', async (t) => {
  const rule: Rule = { ...noStopping, mode: 'live', effectiveFrom: 10_000 }
  t.equal(run(rule, square, stand(8)).violations[0]?.mode, 'warning')
  t.equal(run(rule, square, stand(8), { startsAt: 20_000 }).violations[0]?.mode, 'live')
})

await t.test('the same frames give the same violations, whenever they are judged', async (t) => {
  const places = [...drive(0, 0.5), ...stand(20), ...drive(0.5, 1)]
  const strip = ({ violations }: { violations: Violation[] }) =>
    violations.map((violation) => ({ ...violation, id: '' }))
  t.same(strip(run(noStopping, square, places)), strip(run(noStopping, square, places)))
})
