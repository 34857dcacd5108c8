import { join } from 'node:path'
import { type Camera, openCamera } from '../camera/camera.ts'
import { connectVault } from '../channel/link.ts'
import type { VisionStats } from '../channel/messages.ts'
import type { Config } from '../config/config.ts'
import { openObjectDetector } from '../detection/objects.ts'
import { loadModelSource } from '../models/source.ts'
import { iso } from '../domain/frame.ts'
import { type Provenance } from '../evidence/facts.ts'
import { readBootId, readClockState } from '../health/clock.ts'
import type { Logger } from '../log.ts'
import { VERSION } from '../version.ts'
import { pause, untilAborted } from '../waiting.ts'
import { openEvidenceBuilder } from './evidence-builder.ts'
import { type EvidenceCounts, createEvidenceDesk } from './evidence-desk.ts'
import type { SelftestFigures } from './selftest/figures.ts'
import { awaitVerdict } from './selftest/verdict.ts'
import { type Watch, createWatch } from './watch-camera.ts'

const REPORT_EVERY_MS = 1_000

/**
 * The process that sees pixels: it has no keys, no state directory and no network but the cameras. Runs until the signal
 * aborts. When all inputs are recordings, it goes on after their end, so that vault can still ask how they went.
 *
 * @param dependencies.onReady called once its networks are loaded and the cameras are being opened
 * @throws RoadveilError when a model is missing or wrong, or vault refuses this version or config
 */
export async function runVision(
  config: Config,
  signal: AbortSignal,
  { logger, onReady }: { readonly logger: Logger; readonly onReady?: () => void },
): Promise<void> {
  const models = await loadModelSource()
  const detector = await openObjectDetector(models)
  await using builder = await openEvidenceBuilder(models)
  const socketPath = join(config.runtimeDirectory, 'vault.sock')
  // The link outlives the signal: what is being redacted when a stop comes is still handed over.
  const hello = { version: VERSION, configSha256: config.sha256 }
  await using link = connectVault({ socketPath, hello, logger }, new AbortController().signal)
  const provenance: Provenance = {
    site: config.site.id,
    siteName: config.site.name,
    device: config.device.id,
    place: placeOf(config),
    timeZone: config.site.timeZone,
    bootId: await readBootId(),
    version: VERSION,
    configSha256: config.sha256,
    models: models.manifest.models.map(({ role, file, sha256 }) => ({ role, file, sha256 })),
  }
  const { minConfidence } = config.plates
  const { maskOccupants } = config.privacy
  const runSelftest = (): Promise<SelftestFigures> => builder.selftest(minConfidence)
  const verdict = awaitVerdict({ link, manifest: models.manifest, runSelftest, logger }, signal)
  const desk = createEvidenceDesk(
    {
      ...{ builder, link, provenance, minConfidence, maskOccupants, logger },
      ...{ readClock: readClockState, mayEnforce: verdict.passed },
    },
    signal,
  )

  const watches = config.cameras.map((camera): Watch => {
    const opened = openCamera(camera, { analysisPixels: detector.analysisPixels, logger })
    return createWatch(camera, opened, {
      detector,
      logger,
      onViolation: (violation, watch) => desk.take(violation, watch, camera),
    })
  })
  logger.info('vision is ready', { count: watches.length })
  onReady?.()

  const ended = new AbortController()
  const until = AbortSignal.any([signal, ended.signal])
  const reporting = report()
  try {
    // One camera's end or failure is its own; only a stop, or a refusal by vault, ends the process.
    const watching = watches.map(async (watch) => {
      try {
        await watch.run(signal)
      } catch (error) {
        logger.error('a camera is given up', { camera: watch.camera.id, error })
      }
    })
    await Promise.race([Promise.all([...watching, untilAborted(signal)]), link.done])
    await desk.settled()
  } finally {
    ended.abort()
    await reporting
    await detector.close()
  }

  async function report(): Promise<void> {
    while (!until.aborted) {
      link.report(statsOf(watches, verdict.state, desk.counts, link.waiting))
      await pause(REPORT_EVERY_MS, until)
    }
  }
}

function statsOf(
  watches: readonly Watch[],
  selftest: VisionStats['selftest'],
  evidence: EvidenceCounts,
  waiting: number,
): VisionStats {
  const sum = (pick: (watch: Watch) => number): number =>
    watches.reduce((total, watch) => total + pick(watch), 0)
  return {
    selftest,
    cameras: watches.map(({ camera }) => cameraStats(camera)),
    counts: {
      tracks: sum(({ counts }) => counts.tracks),
      violations: sum(({ counts }) => counts.violations),
      built: evidence.built,
      discarded: evidence.discarded,
      uncheckedRedactions: evidence.uncheckedRedactions,
      unverifiedRedactions: evidence.unverifiedRedactions,
      waiting,
    },
  }
}

function cameraStats(camera: Camera): VisionStats['cameras'][number] {
  const stats = camera.stats()
  return {
    camera: camera.id,
    state: stats.state === 'waiting' ? 'down' : stats.state,
    fps: stats.fps,
    frames: stats.frames,
    dropped: stats.dropped,
    restarts: stats.restarts,
    lastFrameAt: stats.lastFrameAt === undefined ? null : iso(stats.lastFrameAt),
    ...(stats.lastErrorCode === undefined ? {} : { code: stats.lastErrorCode }),
  }
}

function placeOf({ site }: Config): Provenance['place'] {
  const { latitude, longitude } = site
  return latitude === undefined || longitude === undefined ? null : { latitude, longitude }
}
