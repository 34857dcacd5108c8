import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ModelSource } from '../../src/models/manifest.ts'
import { openObjectDetector } from '../../src/detection/objects.ts'
import type { Detection } from '../../src/domain/detection.ts'
import type { RawFrame } from '../../src/domain/frame.ts'
import { type Box, type PixelBox, grow } from '../../src/domain/geometry.ts'
import { planRegions } from '../../src/privacy/plan.ts'
import { STILL_LOOKS } from '../../src/privacy/looks.ts'
import { searchFrame } from '../../src/privacy/search.ts'
import { openFaceDetector } from './public/faces.ts'
import { openPublicObjectDetector } from './public/objects.ts'
import { openPlateDetector } from './public/plates.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'

/** One way to find what must be hidden in a still. */
export interface Contender {
  readonly name: string
  /** Of what; others are not asked. */
  readonly kinds: readonly string[]
  /** Masks as large as they are drawn, in 0-1 of the picture. */
  masks(frame: RawFrame, kind: string): Promise<Box[]>
}

/** One network for persons and vehicles. */
export interface ObjectContender {
  readonly name: string
  detect(frame: RawFrame): Promise<Detection[]>
}

/** What is drawn around a box that a single network found. */
const GROWTH = 0.15
const PLATE_SCORE = 0.4
const FACE_SCORE = 0.6

/** The public networks beside the checkout, or where `roadveil models pull .models` put them. */
export function publicDirectory(): string {
  const [beside, pulled] = ['../../../shared/models', '../../.models'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  ) as [string, string]
  return existsSync(beside) ? beside : pulled
}

/** The public networks as they are usually run: the whole picture once, at their usual thresholds. */
export async function publicContenders(models: ModelSource): Promise<Contender[]> {
  const plates = await openPlateDetector(models, 'plates')
  const faces = await openFaceDetector(models)
  return [
    {
      name: 'y5fu 640, whole picture',
      kinds: ['plate'],
      masks: async (frame) =>
        (await plates.detect(frame, whole(frame), PLATE_SCORE)).map(({ box }) => grow(box, GROWTH)),
    },
    {
      name: 'YuNet, whole picture',
      kinds: ['face'],
      masks: async (frame) =>
        (await faces.detect(frame, whole(frame), 1, FACE_SCORE)).map(({ box }) => grow(box, GROWTH)),
    },
  ]
}

/** Stills as the product hides them: every look of the evidence search, and what is inferred from persons and vehicles. */
export function productContender(networks: EvidenceDeps): Contender {
  return {
    name: 'roadveil, stills',
    kinds: ['plate', 'face'],
    async masks(frame, kind) {
      const findings = await searchFrame(frame, networks.detectors, STILL_LOOKS)
      const [plan] = planRegions([findings], [])
      const wanted = kind === 'plate' ? ['plate', 'plate-area'] : ['face', 'head']
      return (plan?.regions ?? []).filter((region) => wanted.includes(region.kind)).map(({ box }) => box)
    },
  }
}

export async function objectContenders(
  models: ModelSource,
  publicModels: ModelSource,
): Promise<ObjectContender[]> {
  const yolox = await openPublicObjectDetector(publicModels)
  const objects = await openObjectDetector(models)
  return [
    { name: 'YOLOX-nano 416, whole picture', detect: (frame) => yolox.detect(frame, whole(frame)) },
    { name: 'roadveil, whole picture', detect: (frame) => objects.detectIn(frame, whole(frame)) },
  ]
}

function whole({ width, height }: RawFrame): PixelBox {
  return { x: 0, y: 0, w: width, h: height }
}
