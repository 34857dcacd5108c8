import t from 'tap'
import { openObjectDetector } from '../../src/detection/objects.ts'
import type { DetectedFrame } from '../../src/domain/detection.ts'
import { interpolate, iou } from '../../src/domain/geometry.ts'
import type { Rule } from '../../src/domain/rule.ts'
import type { TrackedFrame } from '../../src/domain/track.ts'
import type { Violation } from '../../src/domain/violation.ts'
import { createJudge } from '../../src/rules/judge.ts'
import { createTrackHistory } from '../../src/tracking/history.ts'
import { createTracker } from '../../src/tracking/tracker.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { analysisFrames } from '../support/scene-frames.ts'
import { SCENE_FILE, sceneZone, trueBox, truth, truthAt } from '../support/scene.ts'

/** The built-in scene, searched with the real network, then tracked and judged. */

const OFFENDER = truth.violation.vehicle
const LIMIT_MS = 5_000
const rule: Rule = {
  id: 'bus-stop',
  kind: 'no-stopping',
  zoneId: 'bus-stop',
  classes: ['car', 'truck', 'bus'],
  schedule: [],
  mode: 'warning',
  limitMs: LIMIT_MS,
}
const camera = {
  id: 'cam-1',
  timeZone: 'Europe/Berlin',
  zones: [{ id: 'bus-stop', shape: 'polygon' as const, points: sceneZone }],
  rules: [rule],
}

async function searchScene(): Promise<DetectedFrame[]> {
  const detector = await openObjectDetector(await loadModelSource())
  const { width, height } = truth
  const found: DetectedFrame[] = []
  for (const frame of analysisFrames(SCENE_FILE, {
    width,
    height,
    pixels: detector.analysisPixels,
    fps: 10,
  })) {
    const { cameraId, sequence, capturedAt, arrival } = frame
    found.push({ cameraId, sequence, capturedAt, arrival, detections: await detector.detect(frame) })
  }
  await detector.close()
  return found
}

function judge(frames: readonly DetectedFrame[]): { violations: Violation[]; tracked: TrackedFrame[] } {
  const tracker = createTracker({ cameraId: 'cam-1' })
  const history = createTrackHistory()
  const judge = createJudge(camera, { path: (id, from, to) => history.path(id, from, to), newId: () => 'id' })
  const violations: Violation[] = []
  const tracked = frames.map((frame) => tracker.step(frame))
  for (const frame of tracked) {
    history.record(frame)
    violations.push(...judge.step(frame).violations)
  }
  return { violations, tracked }
}

/** Where the offender truly is, or undefined before it is in the picture. */
function offenderAt(seconds: number): ReturnType<typeof trueBox> | undefined {
  const object = truthAt(seconds).find(({ id }) => id === OFFENDER)
  return object && trueBox(object)
}

await t.test('in the built-in scene', async (t) => {
  const found = await searchScene()
  const everySecond = found.filter((_, index) => index % 2 === 0)

  await t.test('the stopping car is the only violation, whatever the frame rate', async (t) => {
    const uneven = found
      .filter((_, index) => index % 2 === 0 || index % 7 === 0)
      .filter((_, index) => index % 5 !== 3)
    const slow = found.filter((_, index) => index % 5 === 0)
    for (const [what, frames] of Object.entries({
      'ten a second': found,
      'five a second': everySecond,
      uneven,
      slow,
    })) {
      const { violations } = judge(frames)
      t.equal(violations.length, 1, what)
      const [violation] = violations
      if (!violation) continue
      const truly = offenderAt(violation.judgedAt / 1000)
      const last = violation.path.at(-1)
      t.ok(truly && last && iou(truly, last.box) > 0.8, `${what}: it is ${OFFENDER}`)
      const stoppedAt = truth.violation.stoppedFrom * 1000
      t.ok(
        Math.abs(violation.judgedAt - stoppedAt - LIMIT_MS) < 1_500,
        `${what}: judged ${violation.judgedAt} ms in`,
      )
      t.ok(violation.enteredAt < stoppedAt, `${what}: it entered before it stood`)
    }
  })

  await t.test('the path follows the offender from before its entry', async (t) => {
    const [violation] = judge(everySecond).violations
    t.ok(violation)
    if (!violation) return
    const { path, enteredAt } = violation
    t.ok((path[0]?.capturedAt ?? Infinity) <= enteredAt - 2_800)
    for (const [index, point] of path.entries()) {
      const truly = offenderAt(point.capturedAt / 1000)
      t.ok(truly && iou(truly, point.box) > 0.6, `at ${point.capturedAt} ms`)
      // Evidence reads the path between its points, too.
      const next = path[index + 1]
      const half = next && offenderAt((point.capturedAt + next.capturedAt) / 2000)
      if (next && half) t.ok(iou(half, interpolate(point.box, next.box, 0.5)) > 0.55)
    }
  })

  await t.test('every vehicle has one id for as long as it can be seen', async (t) => {
    const ids = new Map<string, Set<string>>()
    for (const { capturedAt, tracks } of judge(everySecond).tracked) {
      for (const object of truthAt(capturedAt / 1000)) {
        if (object.cls !== 'car' || object.visibility < 0.5 || object.inFrame < 0.5) continue
        const track = tracks.find(({ state, box }) => state === 'tracked' && iou(box, trueBox(object)) > 0.5)
        if (!track) continue
        const known = ids.get(object.id) ?? new Set()
        ids.set(object.id, known.add(track.id))
      }
    }
    t.ok(ids.size >= 4)
    for (const [vehicle, known] of ids) t.equal(known.size, 1, vehicle)
  })

  await t.test('the same frames give the same violations again', async (t) => {
    t.strictSame(judge(everySecond), judge(everySecond))
  })
})
