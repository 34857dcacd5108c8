import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PacketClip } from '../../src/camera/packet-ring.ts'
import type { Box } from '../../src/domain/geometry.ts'
import type { PathPoint } from '../../src/domain/track.ts'

/** The built-in scene (models/selftest) and its ground truth. */

export const SCENE_FILE = fileURLToPath(new URL('../../models/selftest/street.mp4', import.meta.url))

interface TrueObject {
  readonly id: string
  readonly cls: 'car' | 'person' | 'plate' | 'face'
  /** Pixels: left, top, width, height. */
  readonly box: readonly [number, number, number, number]
  readonly visibleBox?: readonly [number, number, number, number]
  readonly visibility: number
  readonly inFrame: number
  readonly facing?: number
  readonly text?: string
}

interface Truth {
  readonly width: number
  readonly height: number
  readonly fps: number
  readonly zonePolygon: readonly (readonly [number, number])[]
  readonly violation: { readonly vehicle: string; readonly plateText: string; readonly stoppedFrom: number }
  readonly bystanderPlates: readonly string[]
  readonly frames: readonly { readonly t: number; readonly objects: readonly TrueObject[] }[]
}

export const truth = JSON.parse(
  readFileSync(new URL('../../models/selftest/street.gt.json', import.meta.url), 'utf8'),
) as Truth

/** The no-stopping zone in 0-1 coordinates, clipped to the picture. */
export const sceneZone = truth.zonePolygon.map(([x, y]) => ({
  x: Math.min(1, Math.max(0, x / truth.width)),
  y: Math.min(1, Math.max(0, y / truth.height)),
}))

/** The whole scene as the packet ring would give it; its first frame was captured at `anchor`. */
export function sceneClip(anchor: number): PacketClip {
  const args = ['-v', 'error', '-i', SCENE_FILE, '-an', '-c', 'copy', '-f', 'matroska', 'pipe:1']
  const bytes = execFileSync('ffmpeg', args, { maxBuffer: 2 ** 26 })
  return { bytes, anchor, width: truth.width, height: truth.height }
}

/** What is truly in the scene `seconds` after its start. */
export function truthAt(seconds: number): readonly TrueObject[] {
  return truth.frames[Math.min(truth.frames.length - 1, Math.round(seconds * truth.fps))]?.objects ?? []
}

/** Where an object truly is, in 0-1 coordinates. */
export function trueBox({ box: [x, y, w, h] }: Pick<TrueObject, 'box'>): Box {
  return { x: x / truth.width, y: y / truth.height, w: w / truth.width, h: h / truth.height }
}

/** The true path of a vehicle of the scene. */
export function truePath(id: string, anchor: number): PathPoint[] {
  return truth.frames.flatMap(({ t, objects }) => {
    const object = objects.find((other) => other.id === id)
    if (!object) return []
    return [
      { capturedAt: anchor + t * 1000, box: trueBox({ box: object.visibleBox ?? object.box }), seen: true },
    ]
  })
}

/** The faces and plates of a moment that a viewer could make out: those that an evidence must hide, offender's plate aside. */
export function mustBeHidden(seconds: number): readonly TrueObject[] {
  const offender = truth.violation.vehicle
  return truthAt(seconds).filter(
    ({ id, cls, visibility, inFrame, facing = 1 }) =>
      (cls === 'face' || cls === 'plate') &&
      visibility > 0.2 &&
      inFrame > 0.5 &&
      facing > 0 &&
      !id.startsWith(offender),
  )
}

/** The share of a box that the regions cover, 0-1, in pixels of the scene. */
export function hiddenShare(box: Box, regions: readonly { readonly box: Box }[]): number {
  const { width, height } = truth
  let covered = 0
  let all = 0
  for (let y = Math.round(box.y * height); y < Math.min(height, (box.y + box.h) * height); y++) {
    for (let x = Math.round(box.x * width); x < Math.min(width, (box.x + box.w) * width); x++) {
      all++
      const px = (x + 0.5) / width
      const py = (y + 0.5) / height
      if (regions.some(({ box: r }) => px >= r.x && px < r.x + r.w && py >= r.y && py < r.y + r.h)) covered++
    }
  }
  return all === 0 ? 1 : covered / all
}
