import { createHash, randomUUID } from 'node:crypto'
import type { EvidenceFacts, RedactedEvidence } from '../../src/domain/evidence.ts'

/** A small evidence of the right form. The files are noise: nothing below looks into them. */
export function evidenceFixture(
  options: {
    readonly plate?: string
    readonly clipBytes?: number
    readonly facts?: Partial<EvidenceFacts>
  } = {},
): RedactedEvidence {
  const files = [
    { name: 'before.jpg', bytes: Buffer.alloc(3000, 'before') },
    { name: 'plate.png', bytes: Buffer.alloc(513, 'plate') },
    { name: 'clip.mp4', bytes: Buffer.alloc(options.clipBytes ?? 150_000, 'clip') },
  ]
  const at = { camera: '2026-03-01T08:15:30.250Z', host: '2026-03-01T08:15:30.400Z', monotonicMs: 12_345.5 }
  const point = { x: 0.1, y: 0.2 }
  const box = { x: 0.1, y: 0.2, w: 0.05, h: 0.02 }
  const picture = { capturedAt: at.camera, frameNumber: 7, regions: [] }
  const plate = options.plate ?? 'B0X1234'
  const facts: EvidenceFacts = {
    schema: 'roadveil.evidence.v1',
    evidenceId: randomUUID(),
    site: 'main-street',
    siteName: 'Main Street',
    device: 'box-1',
    camera: 'north',
    place: null,
    timeZone: 'Europe/Berlin',
    bootId: 'boot',
    clock: { synchronized: true, source: 'chrony', offsetMs: 0.5, lastSyncAt: null },
    times: { entered: at, judged: at },
    rule: {
      id: 'bus-stop',
      kind: 'no-stopping',
      zoneId: 'stop',
      classes: ['car'],
      schedule: [],
      mode: 'warning',
    },
    zone: { id: 'stop', shape: 'polygon', points: [point, point, point] },
    mode: 'warning',
    vehicle: { trackId: '7', class: 'car', path: [{ at: at.camera, box, seen: true }] },
    plate: {
      text: plate,
      confidence: 0.95,
      votes: [{ capturedAt: at.camera, frameNumber: 7, text: plate, confidence: 0.95 }],
      crop: { file: 'plate.png', capturedAt: at.camera, frameNumber: 7, box },
    },
    pictures: [{ ...picture, file: 'before.jpg' }],
    clip: { file: 'clip.mp4', frames: [picture] },
    verification: { checkedFrames: 0, repairedFrames: 0 },
    software: { version: '0.1.0', configSha256: 'a'.repeat(64), models: [] },
    files: files.map(({ name, bytes }) => ({
      name,
      mediaType: name.endsWith('jpg') ? 'image/jpeg' : name.endsWith('png') ? 'image/png' : 'video/mp4',
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
    ...options.facts,
  }
  return { facts, files }
}
