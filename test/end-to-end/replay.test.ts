import t from 'tap'
import { sceneCamera } from '../../scripts/demo/trial.ts'
import { openCamera } from '../../src/camera/camera.ts'
import type { CameraConfig } from '../../src/config/config.ts'
import { openObjectDetector } from '../../src/detection/objects.ts'
import type { EpochMs } from '../../src/domain/frame.ts'
import { type Box, interpolate, iou } from '../../src/domain/geometry.ts'
import type { Violation } from '../../src/domain/violation.ts'
import { createWatch } from '../../src/vision/watch-camera.ts'
import { keptLog } from '../support/kept-log.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { startRtspCamera } from '../support/rtsp-camera.ts'
import { SCENE_FILE } from '../support/scene.ts'
import { setUpTown } from '../support/town.ts'

const STARTS_AT = '2026-03-02T08:00:00.000Z'
/**
 * Two analysis frames at 5 a second: of a live stream the first second is over before its time line is settled, so the vehicle,
 * which is in the picture from the start, is known a little later.
 */
const ENTRY_MS = 400

await t.test('live, in real time and fast, the scene gives the same violation', async (t) => {
  const source = await loadModelSource()
  const detector = await openObjectDetector(source)
  t.teardown(() => detector.close())
  const camera = await startRtspCamera(SCENE_FILE)
  t.teardown(() => camera.kill())
  const { url, credentialsFile } = camera
  const recording = { url: `file:${SCENE_FILE}`, replayStartsAt: STARTS_AT }
  const { config } = await setUpTown(t, [
    sceneCamera('live', { url, credentialsFile }),
    sceneCamera('realtime', { ...recording, replay: 'realtime' }),
    sceneCamera('fast', { ...recording, replay: 'fast' }),
  ])
  const [live, realtime, fast] = config.cameras
  if (!live || !realtime || !fast) throw new Error('a camera is missing')

  /** Watches as vision does; a recording to its end, a live camera to its first violation. */
  const violationsOf = async (entry: CameraConfig): Promise<readonly Violation[]> => {
    const found: Violation[] = []
    const enough = new AbortController()
    const logger = keptLog()
    const opened = openCamera(entry, { analysisPixels: detector.analysisPixels, logger })
    const watch = createWatch(entry, opened, {
      detector,
      logger,
      onViolation: (violation) => {
        found.push(violation)
        if (!entry.url.startsWith('file:')) enough.abort()
      },
    })
    const limit = AbortSignal.timeout(90_000)
    await watch.run(AbortSignal.any([enough.signal, limit]))
    t.notOk(limit.aborted, `${entry.id} ended by itself`)
    t.equal(watch.counts.failedFrames, 0)
    return found
  }

  const [fromCamera, inRealTime] = await Promise.all([violationsOf(live), violationsOf(realtime)])
  const quick = await violationsOf(fast)

  await t.test('a fast replay gives identical violations every time', async (t) => {
    const again = await violationsOf(fast)
    const facts = quick.map(timeless)
    t.equal(facts.length, 1)
    t.same(again.map(timeless), facts)
    t.not(again[0]?.id, quick[0]?.id, 'each has an id of its own')
  })

  for (const [name, others] of [
    ['from the RTSP camera', fromCamera],
    ['replayed in real time', inRealTime],
  ] as const) {
    await t.test(`${name}, it is the same violation as in a fast replay`, async (t) => {
      const [a] = others
      const [b] = quick
      t.equal(others.length, 1)
      if (!a || !b) throw new Error('there is no violation')
      const { ruleId, ruleKind, zoneId, mode } = b
      t.match(a, { ruleId, ruleKind, zoneId, mode, class: b.class })
      const dwellMs = (violation: Violation): number => violation.judgedAt - violation.enteredAt
      t.ok(Math.abs(dwellMs(a) - dwellMs(b)) <= ENTRY_MS, `${dwellMs(a)} and ${dwellMs(b)} ms`)
      const shared = sharedPath(a, b)
      t.ok(shared.length >= 0.9 * a.path.length, `${shared.length} of ${a.path.length} places have a partner`)
      t.ok(mean(shared) > 0.9, `mean IoU ${mean(shared)}`)
      t.ok(Math.min(...shared) > 0.5, `least IoU ${Math.min(...shared)}`)
    })
  }
})

/** What must not differ between two replays. */
function timeless({ id, arrivals, ...violation }: Violation): object {
  return { ...violation, hasId: id !== '', hasArrivals: arrivals.judged.hostAt > 0 }
}

/**
 * IoU of the places of `a` with where `b` was at the same time of the scene, which is known to two analysis frames,
 * see `ENTRY_MS`.
 */
function sharedPath(a: Violation, b: Violation): number[] {
  const shifts = Array.from({ length: 17 }, (_, i) => (i - 8) * 50)
  const runs = shifts.map((shiftMs) =>
    a.path.flatMap(({ capturedAt, box }) => {
      const place = placeAt(b.path, capturedAt - a.judgedAt + b.judgedAt + shiftMs)
      return place ? [iou(box, place)] : []
    }),
  )
  return runs.reduce((best, run) => (mean(run) > mean(best) ? run : best))
}

function placeAt(path: Violation['path'], at: EpochMs): Box | undefined {
  const next = path.findIndex(({ capturedAt }) => capturedAt >= at)
  const [before, after] = [path[next - 1], path[next]]
  if (!after) return undefined
  if (after.capturedAt === at) return after.box
  if (!before) return undefined
  return interpolate(before.box, after.box, (at - before.capturedAt) / (after.capturedAt - before.capturedAt))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
