import { randomUUID } from 'node:crypto'
import type { Violation } from '../../src/domain/violation.ts'
import type { EvidenceRequest } from '../../src/evidence/build.ts'
import { type Footage, footageOf } from '../../src/evidence/footage.ts'
import { sceneClip, sceneZone, truePath, truth } from '../support/scene.ts'

/** When the built-in scene begins. */
export const T0 = Date.UTC(2026, 5, 1, 12)

/** The scene's violation, with a piece of its video between two times after `T0`, at `fps` frames per second. */
export function sceneRequest(span: { from: number; to: number }, fps = 5): EvidenceRequest {
  const enteredAt = T0 + 5_000
  const judgedAt = T0 + 9_000
  const arrival = { hostAt: judgedAt + 80, monotonicMs: 5_000 }
  const violation: Violation = {
    id: randomUUID(),
    cameraId: 'cam-1',
    trackId: 'cam-1-1',
    class: 'car',
    ruleId: 'bus-stop',
    ruleKind: 'no-stopping',
    zoneId: 'bus-stop',
    mode: 'live',
    enteredAt,
    judgedAt,
    arrivals: { entered: arrival, judged: arrival },
    path: truePath(truth.violation.vehicle, T0),
  }
  const clip = sceneClip(T0)
  const cut = span.from < judgedAt ? Math.min(judgedAt, span.to) : span.to
  const piece = (part: typeof span): Footage => footageOf(clip, part, { fps, cameraId: 'cam-1' })
  return {
    violation,
    camera: {
      id: 'cam-1',
      zones: [{ id: 'bus-stop', shape: 'polygon', points: sceneZone }],
      rules: [
        {
          id: 'bus-stop',
          kind: 'no-stopping',
          zoneId: 'bus-stop',
          classes: ['car'],
          schedule: [],
          mode: 'live',
          effectiveFrom: T0 - 1,
          limitMs: 2_000,
        },
      ],
    },
    provenance: {
      site: 'test-street',
      siteName: 'Test street',
      device: 'box-1',
      place: null,
      timeZone: 'UTC',
      bootId: randomUUID(),
      version: '0.0.0',
      configSha256: '0'.repeat(64),
      models: [],
    },
    clock: { synchronized: true, source: 'test', offsetMs: null, lastSyncAt: null },
    footage: [piece({ from: span.from, to: cut })],
    aftermath: Promise.resolve({ path: violation.path, footage: piece({ from: cut + 1, to: span.to }) }),
    fps,
    minConfidence: 0.85,
    maskOccupants: false,
  }
}
