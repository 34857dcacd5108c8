import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { FrameRecord } from '../../src/anonymize/record.ts'
import { decodeVideo, probeVideo } from '../../src/anonymize/video-input.ts'
import { anonymizeVideo } from '../../src/anonymize/video.ts'
import { rawRgb } from '../../src/domain/rgb.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'
import { inShares } from '../evaluation/raster.ts'
import { openCount } from './counting.ts'
import { sourceOf } from './hiders.ts'
import type { LabelledClip } from './labelled-clip.ts'
import type { Result, Wanted } from './result.ts'
import type { Mask } from './tally.ts'

/** What a video is hidden by. */
const ANONYMIZE = 'roadveil anonymize'

/**
 * Hides a clip as `roadveil anonymize` does, and compares every frame of what it wrote with the truth: also those between the
 * frames that it searched.
 */
export async function evaluateVideo(
  clip: LabelledClip,
  networks: EvidenceDeps,
  { limit, thumbnails }: Wanted,
): Promise<Result> {
  const signal = new AbortController().signal
  const count = openCount(clip, [ANONYMIZE], { thumbnails })
  const tally = count.tallies.get(ANONYMIZE)
  const input = await probeVideo(clip.file, signal)
  const startedAt = performance.now()
  const records = await hide(input, networks, signal)
  if (tally) tally.milliseconds = performance.now() - startedAt

  let done = 0
  for await (const videoFrame of decodeVideo(input, signal)) {
    if (done >= limit) break
    const record = records[done]
    if (record?.frame !== videoFrame.sequence) throw new RangeError('a frame has no record')
    await count.add(ANONYMIZE, rawRgb(videoFrame), done++, masksOf(record, clip))
  }
  // Everything was worked on, and of that only the frames that are wanted are counted.
  if (tally) tally.milliseconds *= done / records.length
  const { tallies, tracks, leaks } = count
  return { title: `${basename(clip.file)}: ${done} frames, every one of the video`, tallies, tracks, leaks }
}

/** What was hidden in each frame. What is written for that is redacted, and removed. */
async function hide(
  input: Parameters<typeof anonymizeVideo>[0],
  networks: EvidenceDeps,
  signal: AbortSignal,
): Promise<FrameRecord[]> {
  const folder = await mkdtemp(join(tmpdir(), 'roadveil-evaluate-'))
  try {
    const [video, records, findings] = ['video.mp4', 'records', 'findings'].map((name) =>
      join(folder, name),
    ) as [string, string, string]
    for (const file of [video, records, findings]) await writeFile(file, '', { mode: 0o600 })
    const options = { style: 'solid', maskOccupants: true, preview: false } as const
    await anonymizeVideo(input, { video, records, findings }, { networks, options }, () => undefined, signal)
    const lines = (await readFile(records, 'utf8')).trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as FrameRecord)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function masksOf({ regions }: FrameRecord, size: { width: number; height: number }): Mask[] {
  return regions.map(({ class: kind, box: { x, y, width: w, height: h }, why }) => ({
    box: inShares({ x, y, w, h }, size),
    source: sourceOf(kind, why),
  }))
}
