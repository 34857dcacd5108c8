import { execFile } from 'node:child_process'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { type EvidenceDeps, planFootage, searchFootage } from '../../src/evidence/check.ts'
import { type Footage, footageOf } from '../../src/evidence/footage.ts'
import { CLIP_FPS } from '../../src/evidence/spans.ts'
import { openCount } from './counting.ts'
import { type Hider, PRODUCT, sourceOf } from './hiders.ts'
import { type LabelledClip, frameAt } from './labelled-clip.ts'
import type { Result, Wanted } from './result.ts'

const run = promisify(execFile)

/** Capture time of the first frame; any will do. */
const STARTS_AT = 0
const MAX_FILE_BYTES = 2 ** 30

/**
 * Hides a clip as evidence is hidden, before its verification, and by plain detectors frame by frame, and compares with the
 * truth. Nobody in it is an offender: every plate has to be hidden.
 */
export async function evaluateClip(
  clip: LabelledClip,
  networks: EvidenceDeps,
  plain: readonly Hider[],
  { limit, thumbnails }: Wanted,
): Promise<Result> {
  const signal = new AbortController().signal
  const footage = await openFootage(clip, limit)
  const count = openCount(clip, [PRODUCT, ...plain.map(({ name }) => name)], { thumbnails })

  const startedAt = performance.now()
  const planned = planFootage(
    await searchFootage(footage, { path: [], fps: CLIP_FPS }, networks, signal),
    [],
    true,
  )
  const ours = count.tallies.get(PRODUCT)
  if (ours) ours.milliseconds += performance.now() - startedAt

  let done = 0
  for await (const frame of footage.frames(signal)) {
    const regions = planned[done++]?.plan.regions ?? []
    const number = frameAt(clip.times, (frame.capturedAt - STARTS_AT) / 1000)
    const ourMasks = regions.map(({ box, kind, source }) => ({ box, source: sourceOf(kind, source) }))
    await count.add(PRODUCT, frame, number, ourMasks)
    for (const hider of plain) {
      const hidingSince = performance.now()
      const masks = await hider.hide({ bytes: new Uint8Array(), frame })
      const tally = count.tallies.get(hider.name)
      if (tally) tally.milliseconds += performance.now() - hidingSince
      await count.add(hider.name, frame, number, masks ?? [])
    }
  }
  const { tallies, tracks, leaks } = count
  return { title: `${basename(clip.file)}: ${done} frames, ${CLIP_FPS} a second`, tallies, tracks, leaks }
}

/** The beginning of a clip, as the ring of a camera would give it. */
async function openFootage({ file, width, height, times }: LabelledClip, limit: number): Promise<Footage> {
  const args = ['-v', 'error', '-i', file, '-an', '-c', 'copy', '-f', 'matroska', 'pipe:1']
  const { stdout } = await run('ffmpeg', args, { encoding: 'buffer', maxBuffer: MAX_FILE_BYTES })
  const clip = { bytes: stdout, anchor: STARTS_AT, width, height }
  const seconds = Math.min(times.at(-1) ?? 0, (limit - 1) / CLIP_FPS)
  const span = { from: STARTS_AT, to: STARTS_AT + 1000 * seconds }
  return footageOf(clip, span, { fps: CLIP_FPS, cameraId: 'clip' })
}
