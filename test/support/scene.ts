import { execFileSync } from 'node:child_process'
import type { PacketClip } from '../../src/camera/packet-ring.ts'
import type { Box } from '../../src/domain/geometry.ts'
import type { PathPoint } from '../../src/domain/track.ts'
import * as scene from '../../src/vision/selftest/scene.ts'

/** The built-in scene (models/selftest) and its ground truth, as the self-test reads them. */

export const { SCENE_FILE } = scene

export const truth = await scene.loadScene()

/** The no-stopping zone in 0-1 coordinates, clipped to the picture. */
export const sceneZone = scene.zoneOf(truth)

/** The whole scene as the packet ring would give it; its first frame was captured at `anchor`. */
export function sceneClip(anchor: number): PacketClip {
  const args = ['-v', 'error', '-i', SCENE_FILE, '-an', '-c', 'copy', '-f', 'matroska', 'pipe:1']
  const bytes = execFileSync('ffmpeg', args, { maxBuffer: 2 ** 26 })
  return { bytes, anchor, width: truth.width, height: truth.height }
}

/** What is truly in the scene `seconds` after its start. */
export function truthAt(seconds: number): readonly scene.TrueObject[] {
  return scene.truthAt(truth, seconds)
}

/** Where an object truly is, in 0-1 coordinates. */
export function trueBox(object: Pick<scene.TrueObject, 'box'>): Box {
  return scene.trueBox(truth, object)
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
export function mustBeHidden(seconds: number): readonly scene.TrueObject[] {
  return scene.mustBeHidden(truth, seconds)
}

/** The share of a box that the regions cover, 0-1, in pixels of the scene. */
export function hiddenShare(box: Box, regions: readonly { readonly box: Box }[]): number {
  return scene.hiddenShare(truth, box, regions)
}
