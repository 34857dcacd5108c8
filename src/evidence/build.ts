import type { CameraConfig } from '../config/config.ts'
import type { ClockState, EvidenceFacts, EvidenceFile, RedactedEvidence } from '../domain/evidence.ts'
import type { RawFrame, RedactedImage } from '../domain/frame.ts'
import { type Box, grow } from '../domain/geometry.ts'
import type { PathPoint } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import { RoadveilError } from '../errors.ts'
import { type PlateTextNetwork, readPlate } from '../plates/read.ts'
import { type PlateReading, voteText } from '../plates/vote.ts'
import type { Findings, FoundRegion } from '../privacy/findings.ts'
import { pathBoxAt } from '../privacy/offender.ts'
import { type FramePlan, planRegions } from '../privacy/plan.ts'
import { cutOut, redactFrame } from '../privacy/redact.ts'
import { type Detectors, searchFrame } from '../privacy/search.ts'
import { openClipEncoder } from './clip.ts'
import { databarRows, drawDatabar } from './databar.ts'
import { type PictureRecord, type Provenance, buildFacts } from './facts.ts'
import type { Span } from './spans.ts'
import { encodeJpeg, encodePng } from './still.ts'

/** One piece of video of a violation: a fresh decoding of the same frames at every call. */
export interface Footage {
  readonly span: Span
  frames(signal: AbortSignal): AsyncIterable<RawFrame>
}

export interface EvidenceRequest {
  readonly violation: Violation
  /** The offender's path to the end of the footage. */
  readonly path: readonly PathPoint[]
  readonly camera: Pick<CameraConfig, 'id' | 'zones' | 'rules'>
  readonly provenance: Provenance
  readonly clock: ClockState
  readonly footage: readonly Footage[]
  readonly fps: number
  /** Below this no plate text is given, 0-1. */
  readonly minConfidence: number
}

export interface EvidenceDeps {
  readonly detectors: Detectors
  readonly plateText: PlateTextNetwork
}

type MediaType = EvidenceFacts['files'][number]['mediaType']
type TypedFile = EvidenceFile & { readonly mediaType: MediaType }

/** One frame's plan and the reading of the offender's plate in it. */
interface CheckedFrame {
  readonly capturedAt: number
  readonly plan: FramePlan
  readonly reading?: PlateReading
}

/** Fewer than this share of the frames that a span should have is no evidence. */
const MIN_FRAME_SHARE = 0.5

/** A plate picture shows a little of the vehicle around the plate. */
const CROP_GROWTH = 0.1

/**
 * Makes the redacted evidence of one violation. The footage is decoded twice, so that never more than a few raw frames
 * are in memory: once to search every frame, then, when all regions are known and followed in both directions of time, to
 * redact, draw and encode.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when any frame could not be checked, ERR_EVIDENCE_INCOMPLETE when video is
 *   missing, ERR_ENCODE_FAILED; nothing is kept then
 */
export async function buildEvidence(
  request: EvidenceRequest,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<RedactedEvidence> {
  const checked: CheckedFrame[][] = []
  for (const footage of request.footage) checked.push(await check(footage, request, deps, signal))

  const frames = checked.flat()
  const readings = frames.flatMap(({ reading }, index) => (reading ? [{ ...reading, sequence: index }] : []))
  const vote = voteText(readings, request.minConfidence)
  const { violation } = request
  const last = frames.length - 1
  const wanted = {
    before: nearest(frames, violation.enteredAt),
    during: nearest(frames, violation.judgedAt),
    after: last,
    plate: vote.best?.sequence,
  }

  const files: TypedFile[] = []
  const stills: (PictureRecord & { file: string })[] = []
  const pictures: PictureRecord[] = []
  let crop: { file: string; frameNumber: number; capturedAt: number; box: Box } | null = null
  let encoder: ReturnType<typeof openClipEncoder> | undefined
  try {
    let index = 0
    for (const [part, footage] of request.footage.entries()) {
      const partFrames = checked[part] ?? []
      let inPart = 0
      for await (const raw of footage.frames(signal)) {
        const frame = partFrames[inPart++]
        if (frame?.capturedAt !== raw.capturedAt)
          throw unchecked('the second decoding gave another frame than the first')
        const image = redact(raw, frame.plan, index, request)
        const record = { capturedAt: raw.capturedAt, frameNumber: index, regions: frame.plan.regions }
        pictures.push(record)
        encoder ??= openClipEncoder(image, request.fps)
        await encoder.write(image)
        for (const name of ['before', 'during', 'after'] as const) {
          if (wanted[name] !== index) continue
          const file = `${name}.jpg`
          files.push({ name: file, mediaType: 'image/jpeg', bytes: await encodeJpeg(image) })
          stills.push({ file, ...record })
        }
        if (wanted.plate === index && frame.plan.offenderPlate) {
          const box = grow(frame.plan.offenderPlate.box, CROP_GROWTH)
          files.push({
            name: 'plate.png',
            mediaType: 'image/png',
            bytes: await encodePng(cutOut(image, box, raw.height)),
          })
          crop = { file: 'plate.png', frameNumber: index, capturedAt: raw.capturedAt, box }
        }
        index++
      }
      if (inPart !== partFrames.length)
        throw unchecked('the second decoding gave fewer frames than the first')
    }
    if (!encoder) throw new RoadveilError('ERR_EVIDENCE_INCOMPLETE', 'the footage has no frame')
    files.push({ name: 'clip.mp4', mediaType: 'video/mp4', bytes: await encoder.finish() })
  } finally {
    await encoder?.[Symbol.asyncDispose]()
  }

  const facts = buildFacts({
    violation: { ...violation, path: request.path },
    camera: request.camera,
    provenance: request.provenance,
    clock: request.clock,
    vote,
    readings,
    crop,
    stills,
    clip: { file: 'clip.mp4', frames: pictures },
    files,
  })
  return { facts, files: files.map(({ name, bytes }) => ({ name, bytes })) }
}

/** First decoding: every frame is searched, then planned together with its neighbours. */
async function check(
  footage: Footage,
  request: EvidenceRequest,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<CheckedFrame[]> {
  const findings: Findings[] = []
  const readings = new Map<FoundRegion, PlateReading>()
  for await (const frame of footage.frames(signal)) {
    const found = await searchFrame(frame, deps.detectors)
    findings.push(found)
    const offender = pathBoxAt(request.path, frame.capturedAt)
    if (!offender) continue
    for (const plate of found.plates) {
      if (!reaches(offender, plate.box)) continue
      const reading = await readPlate(frame, plate.box, deps.plateText)
      if (reading) readings.set(plate, reading)
    }
  }
  const expected = ((footage.span.to - footage.span.from) / 1000) * request.fps
  if (findings.length < expected * MIN_FRAME_SHARE) {
    throw new RoadveilError(
      'ERR_EVIDENCE_INCOMPLETE',
      `only ${findings.length} of ${Math.round(expected)} frames could be decoded`,
    )
  }
  const plans = planRegions(findings, request.path)
  return findings.map(({ capturedAt }, index) => {
    const plan = plans[index]
    if (!plan) throw unchecked('a frame has no redaction plan')
    const reading = plan.offenderPlate && readings.get(plan.offenderPlate)
    return { capturedAt, plan, ...(reading ? { reading } : {}) }
  })
}

function redact(
  raw: RawFrame,
  plan: FramePlan,
  frameNumber: number,
  request: EvidenceRequest,
): RedactedImage {
  const image = redactFrame(raw, plan.regions, databarRows(raw.width))
  const { site } = request.provenance
  drawDatabar(image, { site, camera: request.camera.id, capturedAt: raw.capturedAt, frameNumber })
  return image
}

/** Whether a plate may belong to the vehicle, so that reading it is worth the time. */
function reaches(vehicle: Box, plate: Box): boolean {
  const x = plate.x + plate.w / 2
  const y = plate.y + plate.h / 2
  return x > vehicle.x && x < vehicle.x + vehicle.w && y > vehicle.y && y < vehicle.y + vehicle.h
}

function nearest(frames: readonly CheckedFrame[], at: number): number {
  let best = 0
  frames.forEach(({ capturedAt }, index) => {
    if (Math.abs(capturedAt - at) < Math.abs((frames[best]?.capturedAt ?? Infinity) - at)) best = index
  })
  return best
}

function unchecked(message: string): RoadveilError {
  return new RoadveilError('ERR_REDACTION_UNCHECKED', message)
}
