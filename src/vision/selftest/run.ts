import { openCamera } from '../../camera/camera.ts'
import type { CameraConfig } from '../../config/config.ts'
import type { ModelSource } from '../../models/manifest.ts'
import { type ObjectDetector, openObjectDetector } from '../../detection/objects.ts'
import { type Detection, familyOf } from '../../domain/detection.ts'
import { iou } from '../../domain/geometry.ts'
import type { Violation } from '../../domain/violation.ts'
import { RoadveilError } from '../../errors.ts'
import { type CheckedFrame, type EvidenceDeps, planFootage, searchFootage } from '../../evidence/check.ts'
import { footageOf } from '../../evidence/footage.ts'
import { CLIP_FPS } from '../../evidence/spans.ts'
import type { Logger } from '../../log.ts'
import { voteText } from '../../plates/vote.ts'
import { type Watch, createWatch } from '../watch-camera.ts'
import type { Leak, SelftestFigures, Tally } from './figures.ts'
import {
  SCENE_FILE,
  type Scene,
  hiddenShare,
  loadScene,
  mustBeHidden,
  trueBox,
  truthAt,
  zoneOf,
} from './scene.ts'

export interface SelftestDeps {
  readonly models: ModelSource
  readonly networks: EvidenceDeps
  /** `plates.minConfidence` of the config, 0-1. */
  readonly minConfidence: number
  readonly logger: Logger
}

/** Capture time of the clip's first frame; any time will do. */
const STARTS_AT = Date.UTC(2026, 0, 1)
const ANALYSIS_FPS = 5
/** Smaller vehicles and persons decide nothing. */
const MIN_OBJECT_PIXELS = 20
/** A thing counts as hidden when at least this share of it is covered, and as readable below the other. */
const HIDDEN_SHARE = 0.9
const READABLE_SHARE = 0.1

/**
 * Runs the built-in clip through everything that a camera's video goes through, and compares with what is truly in it: analysis,
 * tracking and a no-stopping rule on the way in, search and redaction plan of the whole clip on the way out. Nothing of
 * it is kept. Takes as long as one evidence.
 *
 * @throws RoadveilError ERR_SELFTEST_SCENE, ERR_MODEL_*, and what analysis and search throw
 */
export async function runSelftest(deps: SelftestDeps, signal: AbortSignal): Promise<SelftestFigures> {
  const scene = await loadScene()
  const { violations, watch, vehicles, persons } = await watchScene(scene, deps, signal)
  const [violation] = violations
  const rightVehicle = violation !== undefined && isOffender(scene, violation)
  const path = violation ? watch.history.path(violation.trackId, STARTS_AT, STARTS_AT + lastMs(scene)) : []
  const span = { from: STARTS_AT, to: STARTS_AT + lastMs(scene) }
  const clip = watch.camera.ring.clip(span.from, span.to)
  const footage = footageOf(clip, span, { fps: CLIP_FPS, cameraId: 'selftest' })
  const searched = await searchFootage(footage, { path, fps: CLIP_FPS }, deps.networks, signal)
  // Without the windows, which are hidden whatever the networks find: it is them that are tested.
  const frames = planFootage(searched, path, false)
  const readings = frames.flatMap(({ reading }, sequence) => (reading ? [{ ...reading, sequence }] : []))
  const { text } = voteText(readings, deps.minConfidence)
  return {
    violations: violations.length,
    rightVehicle,
    plateRead: text === scene.violation.plateText,
    vehicles,
    persons,
    ...judgeRedaction(scene, frames),
  }
}

interface Watched {
  readonly violations: readonly Violation[]
  readonly watch: Watch
  readonly vehicles: Tally
  readonly persons: Tally
}

async function watchScene(scene: Scene, deps: SelftestDeps, signal: AbortSignal): Promise<Watched> {
  const detector = await openObjectDetector(deps.models)
  try {
    const tallies = { vehicles: { right: 0, all: 0 }, persons: { right: 0, all: 0 } }
    const counting: ObjectDetector = {
      ...detector,
      async detect(frame) {
        const found = await detector.detect(frame)
        tallyObjects(scene, (frame.capturedAt - STARTS_AT) / 1000, found, tallies)
        return found
      },
    }
    const config = sceneConfig(scene)
    const violations: Violation[] = []
    const { logger } = deps
    const watch = createWatch(
      config,
      openCamera(config, { analysisPixels: detector.analysisPixels, logger }),
      {
        detector: counting,
        logger,
        onViolation: (violation) => violations.push(violation),
      },
    )
    await watch.run(signal)
    if (watch.counts.failedFrames > 0)
      throw new RoadveilError('ERR_DETECTION_FAILED', 'a frame of the built-in clip could not be searched')
    return { violations, watch, ...tallies }
  } finally {
    await detector.close()
  }
}

/** A camera that shows the clip, with a rule that is broken once in it. */
function sceneConfig(scene: Scene): CameraConfig {
  return {
    id: 'selftest',
    url: `file:${SCENE_FILE}`,
    replay: 'fast',
    replayStartsAt: STARTS_AT,
    timeZone: 'UTC',
    analysisFps: ANALYSIS_FPS,
    preRollMs: lastMs(scene) + 1_000,
    zones: [{ id: 'bus-stop', shape: 'polygon', points: zoneOf(scene) }],
    rules: [
      {
        ...{ id: 'clear', kind: 'no-stopping', zoneId: 'bus-stop', mode: 'warning', limitMs: 5_000 },
        ...{ classes: ['car', 'bus', 'truck', 'motorcycle'], schedule: [] },
      },
    ],
  }
}

function lastMs(scene: Scene): number {
  return (scene.frames.at(-1)?.t ?? 0) * 1000
}

function tallyObjects(
  scene: Scene,
  seconds: number,
  found: readonly Detection[],
  tallies: { readonly vehicles: Tally; readonly persons: Tally },
): void {
  for (const object of truthAt(scene, seconds)) {
    if (object.cls !== 'car' && object.cls !== 'person') continue
    if (object.visibility < 0.5 || object.inFrame < 0.5 || object.box[3] < MIN_OBJECT_PIXELS) continue
    const tally = object.cls === 'car' ? tallies.vehicles : tallies.persons
    const family = object.cls === 'car' ? 'vehicle' : 'person'
    tally.all++
    const box = trueBox(scene, { box: object.visibleBox ?? object.box })
    if (found.some((other) => familyOf(other.class) === family && iou(other.box, box) > 0.5)) tally.right++
  }
}

/** Whether the violation is about the vehicle that truly breaks the rule. */
function isOffender(scene: Scene, { path, judgedAt }: Violation): boolean {
  const there = truthAt(scene, (judgedAt - STARTS_AT) / 1000).find(({ id }) => id === scene.violation.vehicle)
  const place = path.findLast(({ capturedAt }) => capturedAt <= judgedAt)
  return there !== undefined && place !== undefined && iou(trueBox(scene, there), place.box) > 0.5
}

function judgeRedaction(
  scene: Scene,
  frames: readonly CheckedFrame[],
): Pick<SelftestFigures, 'faces' | 'plates' | 'offenderPlate' | 'leaks' | 'hiddenArea'> {
  const tallies = { face: { right: 0, all: 0 }, plate: { right: 0, all: 0 }, offender: { right: 0, all: 0 } }
  const leaks: Leak[] = []
  let hiddenArea = 0
  for (const { capturedAt, plan } of frames) {
    const seconds = (capturedAt - STARTS_AT) / 1000
    for (const object of mustBeHidden(scene, seconds)) {
      const tally = tallies[object.cls === 'face' ? 'face' : 'plate']
      tally.all++
      if (hiddenShare(scene, trueBox(scene, object), plan.regions) >= HIDDEN_SHARE) tally.right++
      else leaks.push({ id: object.id, seconds, heightPx: object.box[3] })
    }
    const offenders = truthAt(scene, seconds).find(
      ({ id, cls, box }) => cls === 'plate' && id.startsWith(scene.violation.vehicle) && box[3] >= 8,
    )
    if (offenders) {
      tallies.offender.all++
      if (hiddenShare(scene, trueBox(scene, offenders), plan.regions) < READABLE_SHARE)
        tallies.offender.right++
    }
    hiddenArea += hiddenShare(scene, { x: 0, y: 0, w: 1, h: 1 }, plan.regions) / frames.length
  }
  return { faces: tallies.face, plates: tallies.plate, offenderPlate: tallies.offender, leaks, hiddenArea }
}
