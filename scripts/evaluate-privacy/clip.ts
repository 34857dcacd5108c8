import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { RawFrame } from '../../src/domain/frame.ts'
import { type EvidenceDeps, planFootage, searchFootage } from '../../src/evidence/check.ts'
import { type Footage, footageOf } from '../../src/evidence/footage.ts'
import { CLIP_FPS } from '../../src/evidence/spans.ts'
import type { TrueObject } from '../evaluation/images.ts'
import { type Hider, PRODUCT, sourceOf } from './hiders.ts'
import { type Leak, type Result, type Wanted, emptyTallies } from './result.ts'
import { type Mask, type TrackTally, countPicture, countTrack } from './tally.ts'
import { cutThumbnail } from './thumbnail.ts'

const run = promisify(execFile)

const pixels = z.tuple([z.number(), z.number(), z.number(), z.number()])

/** As of models/selftest: what is in every frame of a clip. */
const truthSchema = z.object({
  width: z.number(),
  height: z.number(),
  fps: z.number(),
  frames: z.array(
    z.object({
      t: z.number(),
      objects: z.array(
        z.object({
          id: z.string(),
          cls: z.string(),
          box: pixels,
          visibility: z.number().default(1),
          inFrame: z.number().default(1),
          /** Of a face: above 0 where it looks towards the camera. */
          facing: z.number().default(1),
        }),
      ),
    }),
  ),
})
type Truth = z.infer<typeof truthSchema>

/** Capture time of the first frame; any will do. */
const STARTS_AT = 0
/** Less than this of an object is nothing that a viewer could make out. */
const MIN_VISIBILITY = 0.2
const MIN_IN_FRAME = 0.5
const MAX_FILE_BYTES = 2 ** 30

/**
 * Hides a clip as evidence is hidden, before its verification, and by plain detectors frame by frame, and compares with the
 * truth. Nobody in it is an offender: every plate has to be hidden.
 *
 * @param file of which the truth is in a file of the same name that ends in `.gt.json`
 */
export async function evaluateClip(
  file: string,
  networks: EvidenceDeps,
  plain: readonly Hider[],
  { limit, thumbnails }: Wanted,
): Promise<Result> {
  const truth = truthSchema.parse(JSON.parse(await readFile(file.replace(/\.mp4$/, '.gt.json'), 'utf8')))
  const signal = new AbortController().signal
  const footage = await openFootage(file, truth, limit)
  const tallies = emptyTallies([PRODUCT, ...plain.map(({ name }) => name)])
  const tracks = new Map([...tallies.keys()].map((name) => [name, new Map<string, TrackTally>()]))
  const leaks: Leak[] = []

  const startedAt = performance.now()
  const planned = planFootage(
    await searchFootage(footage, { path: [], fps: CLIP_FPS }, networks, signal),
    [],
    true,
  )
  const ours = tallies.get(PRODUCT)
  if (ours) ours.milliseconds += performance.now() - startedAt

  const count = async (hider: string, frame: RawFrame, masks: readonly Mask[]): Promise<void> => {
    const [tally, ofHider] = [tallies.get(hider), tracks.get(hider)]
    if (!tally || !ofHider) return
    const seconds = (frame.capturedAt - STARTS_AT) / 1000
    const objects = objectsAt(truth, seconds)
    const open = countPicture(tally, frame, objects, masks)
    const isOpen = (one: TrueObject): boolean => open.some(({ object }) => object === one)
    for (const object of objects) countTrack(ofHider, object, seconds, !isOpen(object))
    for (const { object, covered } of open) {
      const where = `${basename(file)}, ${seconds.toFixed(1)} s, ${object.id}`
      const leak = { ...object, covered, hider, where }
      leaks.push(thumbnails ? { ...leak, thumbnail: await cutThumbnail(frame, object.box, masks) } : leak)
    }
  }
  let number = 0
  for await (const frame of footage.frames(signal)) {
    const regions = planned[number++]?.plan.regions ?? []
    await count(
      PRODUCT,
      frame,
      regions.map(({ box, kind, source }) => ({ box, source: sourceOf(kind, source) })),
    )
    for (const hider of plain) {
      const hidingSince = performance.now()
      const masks = await hider.hide({ bytes: new Uint8Array(), frame })
      const tally = tallies.get(hider.name)
      if (tally) tally.milliseconds += performance.now() - hidingSince
      await count(hider.name, frame, masks ?? [])
    }
  }
  return { title: `${basename(file)}: ${number} frames, ${CLIP_FPS} a second`, tallies, tracks, leaks }
}

/** The beginning of a clip, as the ring of a camera would give it. */
async function openFootage(
  file: string,
  { width, height, fps, frames }: Truth,
  limit: number,
): Promise<Footage> {
  const args = ['-v', 'error', '-i', file, '-an', '-c', 'copy', '-f', 'matroska', 'pipe:1']
  const { stdout } = await run('ffmpeg', args, { encoding: 'buffer', maxBuffer: MAX_FILE_BYTES })
  const clip = { bytes: stdout, anchor: STARTS_AT, width, height }
  const seconds = Math.min((frames.length - 1) / fps, (limit - 1) / CLIP_FPS)
  const span = { from: STARTS_AT, to: STARTS_AT + 1000 * seconds }
  return footageOf(clip, span, { fps: CLIP_FPS, cameraId: 'clip' })
}

function objectsAt(truth: Truth, seconds: number): (TrueObject & { readonly id: string })[] {
  const frame = truth.frames[Math.min(truth.frames.length - 1, Math.round(seconds * truth.fps))]
  return (frame?.objects ?? [])
    .filter(
      ({ visibility, inFrame, facing }) =>
        visibility > MIN_VISIBILITY && inFrame > MIN_IN_FRAME && facing > 0,
    )
    .map(({ id, cls, box: [x, y, w, h] }) => ({ id, kind: cls, box: { x, y, w, h } }))
}
