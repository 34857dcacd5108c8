import { createHash } from 'node:crypto'
import type { CameraConfig } from '../config/config.ts'
import type { ClockState, EvidenceFacts, EvidenceFile, Region } from '../domain/evidence.ts'
import type { Arrival, EpochMs } from '../domain/frame.ts'
import type { Box } from '../domain/geometry.ts'
import type { Rule, Zone } from '../domain/rule.ts'
import type { PathPoint } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import type { PlateReading, PlateVote } from '../plates/vote.ts'

/** Where and with what an evidence was made: the same for all evidence of one run. */
export interface Provenance {
  readonly site: string
  readonly siteName: string
  readonly device: string
  readonly place: { readonly latitude: number; readonly longitude: number } | null
  readonly timeZone: string
  readonly bootId: string
  readonly version: string
  readonly configSha256: string
  readonly models: readonly { readonly role: string; readonly file: string; readonly sha256: string }[]
}

/** One redacted picture and what was hidden in it. */
export interface PictureRecord {
  readonly capturedAt: EpochMs
  readonly frameNumber: number
  readonly regions: readonly Region[]
}

/** What the facts are made of. */
export interface FactsInput {
  readonly violation: Violation
  readonly camera: Pick<CameraConfig, 'id' | 'zones' | 'rules'>
  readonly provenance: Provenance
  readonly clock: ClockState
  /** Of the finished pictures, decoded again. */
  readonly verification: EvidenceFacts['verification']
  readonly vote: PlateVote
  readonly readings: readonly PlateReading[]
  readonly crop: {
    readonly file: string
    readonly frameNumber: number
    readonly capturedAt: EpochMs
    readonly box: Box
  } | null
  readonly stills: readonly (PictureRecord & { readonly file: string })[]
  readonly clip: { readonly file: string; readonly frames: readonly PictureRecord[] }
  readonly files: readonly (EvidenceFile & {
    readonly mediaType: EvidenceFacts['files'][number]['mediaType']
  })[]
}

/** Builds `evidence.json`. All times become ISO 8601, all shares are rounded to what a pixel of 8K is worth. */
export function buildFacts(input: FactsInput): EvidenceFacts {
  const { violation, camera, provenance, vote, crop } = input
  const rule = camera.rules.find(({ id }) => id === violation.ruleId)
  const zone = camera.zones.find(({ id }) => id === violation.zoneId)
  if (!rule || !zone)
    throw new TypeError(`the violation names rule ${violation.ruleId} that the camera does not have`)
  return {
    schema: 'roadveil.evidence.v1',
    evidenceId: violation.id,
    site: provenance.site,
    siteName: provenance.siteName,
    device: provenance.device,
    camera: camera.id,
    place: provenance.place,
    timeZone: provenance.timeZone,
    bootId: provenance.bootId,
    clock: input.clock,
    times: {
      entered: moment(violation.enteredAt, violation.arrivals.entered),
      judged: moment(violation.judgedAt, violation.arrivals.judged),
    },
    rule: ruleFacts(rule),
    zone: zoneFacts(zone),
    mode: violation.mode,
    vehicle: {
      trackId: violation.trackId,
      class: violation.class,
      path: violation.path.map(pathFacts),
    },
    plate: {
      text: vote.text,
      confidence: round(vote.confidence),
      votes: input.readings.map((reading) => ({
        capturedAt: iso(reading.capturedAt),
        frameNumber: reading.sequence,
        text: reading.text,
        confidence: round(reading.confidence),
      })),
      crop: crop && { ...crop, capturedAt: iso(crop.capturedAt), box: roundBox(crop.box) },
    },
    pictures: input.stills.map((still) => ({ file: still.file, ...pictureFacts(still) })),
    clip: { file: input.clip.file, frames: input.clip.frames.map(pictureFacts) },
    verification: input.verification,
    software: {
      version: provenance.version,
      configSha256: provenance.configSha256,
      models: provenance.models.map((model) => ({ ...model })),
    },
    files: input.files.map(({ name, mediaType, bytes }) => ({
      name,
      mediaType,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
  }
}

function moment(camera: EpochMs, arrival: Arrival): EvidenceFacts['times']['entered'] {
  return { camera: iso(camera), host: iso(arrival.hostAt), monotonicMs: round(arrival.monotonicMs) }
}

function ruleFacts(rule: Rule): EvidenceFacts['rule'] {
  const { effectiveFrom, ...rest } = rule
  return {
    ...rest,
    classes: [...rule.classes],
    schedule: rule.schedule.map((slot) => ({ ...slot, days: [...slot.days] })),
    ...(effectiveFrom === undefined ? {} : { effectiveFrom: iso(effectiveFrom) }),
  }
}

function zoneFacts(zone: Zone): EvidenceFacts['zone'] {
  return {
    id: zone.id,
    shape: zone.shape,
    points: zone.points.map((point) => ({ ...point })),
    ...(zone.direction
      ? { direction: { from: { ...zone.direction.from }, to: { ...zone.direction.to } } }
      : {}),
  }
}

function pathFacts({ capturedAt, box, seen }: PathPoint): EvidenceFacts['vehicle']['path'][number] {
  return { at: iso(capturedAt), box: roundBox(box), seen }
}

function pictureFacts({
  capturedAt,
  frameNumber,
  regions,
}: PictureRecord): EvidenceFacts['clip']['frames'][number] {
  return {
    capturedAt: iso(capturedAt),
    frameNumber,
    regions: regions.map((region) => ({ ...region, box: roundBox(region.box), score: round(region.score) })),
  }
}

function roundBox({ x, y, w, h }: Box): Box {
  return { x: round(x), y: round(y), w: round(w), h: round(h) }
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4
}

function iso(at: EpochMs): string {
  return new Date(at).toISOString()
}
