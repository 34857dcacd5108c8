import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { EvidenceFacts, RedactedEvidence } from '../../src/domain/evidence.ts'
import { PICTURE_MARK, USUAL_PLATE } from './handled.ts'

/** What a synthetic evidence should be like; everything has a default. */
export interface SyntheticOptions {
  readonly evidenceId?: string
  readonly site?: string
  readonly device?: string
  readonly camera?: string
  readonly configSha256?: string
  readonly plateText?: string | null
  /** Bytes of the clip. */
  readonly clipBytes?: number
  /** Bytes of each still and of the crop, where they should all be as small. */
  readonly pictureBytes?: number
  readonly judgedAt?: Date
}

const SHA256 = 'a'.repeat(64)

/** Valid evidence made of random bytes behind a mark: right in every field, hash and size, but with nothing to look at. */
export function syntheticEvidence(options: SyntheticOptions = {}): RedactedEvidence {
  const judgedAt = options.judgedAt ?? new Date('2026-03-02T10:15:30.250Z')
  const at = (offsetMs: number): string => new Date(judgedAt.getTime() + offsetMs).toISOString()
  const picture = (bytes: number): Buffer => marked(options.pictureBytes ?? bytes)
  const files = [
    { name: 'before.jpg', mediaType: 'image/jpeg' as const, bytes: picture(3_000) },
    { name: 'during.jpg', mediaType: 'image/jpeg' as const, bytes: picture(3_100) },
    { name: 'plate.png', mediaType: 'image/png' as const, bytes: picture(900) },
    { name: 'clip.mp4', mediaType: 'video/mp4' as const, bytes: marked(options.clipBytes ?? 150_000) },
  ]
  const box = { x: 0.4, y: 0.5, w: 0.2, h: 0.2 }
  const region = { kind: 'face', box, source: 'detected', score: 0.9 } as const
  const text = options.plateText === undefined ? USUAL_PLATE : options.plateText
  const facts: EvidenceFacts = {
    schema: 'roadveil.evidence.v1',
    evidenceId: options.evidenceId ?? randomUUID(),
    site: options.site ?? 'main-street',
    siteName: 'Main Street 1',
    device: options.device ?? 'box-1',
    camera: options.camera ?? 'bus-stop',
    place: null,
    timeZone: 'Europe/Berlin',
    bootId: randomUUID(),
    clock: { synchronized: null, source: 'unknown', offsetMs: null, lastSyncAt: null },
    times: {
      entered: { camera: at(-20_000), host: at(-19_900), monotonicMs: 100_000 },
      judged: { camera: at(0), host: at(100), monotonicMs: 120_000 },
    },
    rule: {
      id: 'no-stopping-1',
      kind: 'no-stopping',
      zoneId: 'stop',
      classes: ['car'],
      schedule: [],
      mode: 'warning',
      limitMs: 15_000,
    },
    zone: {
      id: 'stop',
      shape: 'polygon',
      points: [
        { x: 0.1, y: 0.1 },
        { x: 0.9, y: 0.1 },
        { x: 0.9, y: 0.9 },
      ],
    },
    mode: 'warning',
    vehicle: { trackId: 'bus-stop/7', class: 'car', path: [{ at: at(0), box, seen: true }] },
    plate: {
      text,
      confidence: text === null ? 0 : 0.97,
      votes: text === null ? [] : [{ capturedAt: at(0), frameNumber: 100, text, confidence: 0.97 }],
      crop: text === null ? null : { file: 'plate.png', capturedAt: at(0), frameNumber: 100, box },
    },
    pictures: [
      { file: 'before.jpg', capturedAt: at(-10_000), frameNumber: 50, regions: [region] },
      { file: 'during.jpg', capturedAt: at(0), frameNumber: 100, regions: [region] },
    ],
    clip: { file: 'clip.mp4', frames: [{ capturedAt: at(0), frameNumber: 100, regions: [region] }] },
    verification: { checkedFrames: 0, repairedFrames: 0 },
    software: {
      version: '0.1.0',
      configSha256: options.configSha256 ?? SHA256,
      models: [{ role: 'vehicles', file: 'vehicles.onnx', sha256: SHA256 }],
    },
    files: files.map(({ name, mediaType, bytes }) => ({
      name,
      mediaType,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
  }
  return { facts, files: files.map(({ name, bytes }) => ({ name, bytes })) }
}

function marked(bytes: number): Buffer {
  const content = randomBytes(bytes)
  PICTURE_MARK.copy(content)
  return content
}
