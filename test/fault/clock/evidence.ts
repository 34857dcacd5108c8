import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { PacketRing } from '../../../src/camera/packet-ring.ts'
import type { VaultLink } from '../../../src/channel/link.ts'
import type { CameraConfig } from '../../../src/config/config.ts'
import type { ClockState, EvidenceFacts, RedactedEvidence } from '../../../src/domain/evidence.ts'
import type { Violation } from '../../../src/domain/violation.ts'
import { buildFacts } from '../../../src/evidence/facts.ts'
import { type CityIdentity, createCityIdentity } from '../../../src/sealing/identity.ts'
import { keyIdOf } from '../../../src/sealing/keys.ts'
import { openEvidence } from '../../../src/sealing/open.ts'
import { sealEvidence } from '../../../src/sealing/seal.ts'
import type { EvidenceBuilder } from '../../../src/vision/evidence-builder.ts'
import { createEvidenceDesk } from '../../../src/vision/evidence-desk.ts'
import type { Watch } from '../../../src/vision/watch-camera.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { keptLog } from '../../support/kept-log.ts'

/** What an evidence says about the clock of the box that made it, as the city reads it. */
export type ReadClockFacts = (box: {
  readonly now: number
  readonly readClock: () => Promise<ClockState>
}) => Promise<Pick<EvidenceFacts, 'clock' | 'times'> & { readonly sealedAt: string }>

/**
 * Has evidence made of a violation that is judged now, with everything that is real but the pixels: the desk that asks what the clock
 * is worth, the facts, the seal, and the city that opens it.
 */
export async function clockFactsReader(): Promise<ReadClockFacts> {
  const city = await createCityIdentity()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = { id: keyIdOf(privateKey), privateKey }
  const deviceKeys = new Map([[key.id, publicKey]])
  return async ({ now, readClock }) => {
    const violation = violationAt(now)
    const evidence = await made(violation, readClock)
    const { manifest, chunks } = await sealEvidence(evidence, {
      ...{ signingKey: key, recipients: recipientsOf(city), sealedAt: now },
    })
    const { identity } = city
    const opened = await openEvidence(manifest, Buffer.concat(chunks), {
      deviceId: 'box-1',
      deviceKeys,
      identity,
    })
    const { clock, times } = opened.facts
    return { clock, times, sealedAt: opened.manifest.sealedAt }
  }
}

function recipientsOf({ recipient }: CityIdentity) {
  return { operational: recipient, recovery: recipient }
}

const CAMERA = {
  id: 'bus-stop',
  zones: [
    {
      id: 'stop',
      shape: 'line',
      points: [
        { x: 0.1, y: 0.9 },
        { x: 0.9, y: 0.9 },
      ],
    },
  ],
  rules: [
    {
      ...{ id: 'no-stopping-1', kind: 'no-stopping', zoneId: 'stop', classes: ['car'] },
      ...{ schedule: [], mode: 'live', limitMs: 5_000 },
    },
  ],
} as unknown as CameraConfig

/** The desk of vision on a camera whose video is always there, with a builder that leaves the pictures out. */
async function made(violation: Violation, readClock: () => Promise<ClockState>): Promise<RedactedEvidence> {
  const { promise, resolve } = Promise.withResolvers<RedactedEvidence>()
  const builder: Pick<EvidenceBuilder, 'build'> = {
    build: async (job) => {
      const { facts, files } = syntheticEvidence({ clipBytes: 1_000, pictureBytes: 500 })
      const { pictures: stills, clip, verification, plate } = facts
      const told = buildFacts({
        ...{ violation: job.violation, camera: job.camera, provenance: job.provenance, clock: job.clock },
        ...{ verification, vote: { text: null, confidence: 0 }, readings: [], crop: null },
        ...{ stills: [], clip: { file: clip.file, frames: [] }, files: [] },
      })
      return { facts: { ...told, plate, pictures: stills, clip, files: facts.files }, files }
    },
  }
  const link: Pick<VaultLink, 'deliver' | 'discard'> = {
    deliver: async (evidence) => {
      resolve(evidence)
      return 'stored'
    },
    discard: ({ code }) => {
      throw new Error(`the violation left no evidence: ${code}`)
    },
  }
  const ring = {
    hold: () => ({ [Symbol.dispose]: () => undefined }),
    waitFor: async () => undefined,
    spanAt: (at: number) => ({ fromMs: at - 60_000, toMs: at + 60_000 }),
    clip: () => ({ bytes: new Uint8Array(0), anchor: violation.judgedAt, width: 640, height: 360 }),
  } as unknown as PacketRing
  const watch = { camera: { id: CAMERA.id, ring }, history: { path: () => [] } } as unknown as Watch
  const provenance = {
    ...{ site: 'main-street', siteName: 'Main Street 1', device: 'box-1', place: null, timeZone: 'UTC' },
    ...{ bootId: randomUUID(), version: '0.1.0', configSha256: 'a'.repeat(64), models: [] },
  }
  const desk = createEvidenceDesk(
    {
      ...{ builder: builder as EvidenceBuilder, link: link as VaultLink, mayEnforce: Promise.resolve() },
      ...{ provenance, minConfidence: 0.8, maskOccupants: true, readClock, logger: keptLog() },
    },
    new AbortController().signal,
  )
  desk.take(violation, watch, CAMERA)
  await desk.settled()
  return promise
}

/** A violation of a vehicle whose frames came just now, by the clock of the box. */
function violationAt(now: number): Violation {
  const arrival = { hostAt: now, monotonicMs: 120_000 }
  return {
    ...{ id: randomUUID(), cameraId: CAMERA.id, trackId: 'bus-stop/7', class: 'car', zoneId: 'stop' },
    ...{ ruleId: 'no-stopping-1', ruleKind: 'no-stopping', mode: 'live', path: [] },
    ...{ enteredAt: now - 6_000, judgedAt: now, arrivals: { entered: arrival, judged: arrival } },
  }
}
