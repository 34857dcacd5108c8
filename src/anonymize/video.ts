import { type FileHandle, open } from 'node:fs/promises'
import type { Region } from '../domain/evidence.ts'
import type { Box } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import { readPlate } from '../plates/read.ts'
import type { FoundRegion } from '../privacy/findings.ts'
import { redactVideoFrame } from '../privacy/redact.ts'
import { findLeaks } from '../privacy/verify.ts'
import { followKeptVehicle } from './kept-video.ts'
import type { Leaks } from '../evidence/verify.ts'
import { coverOf, joinLeaks, repairSearch } from './leaks.ts'
import type { Tools } from './options.ts'
import { append } from './outputs.ts'
import { drawPreview } from './preview.ts'
import { type Verification, recordFrame } from './record.ts'
import { openRehearsal } from './rehearsal.ts'
import { type SeenFrame, sampleUnseen, searchVideo } from './search-video.ts'
import { spool, unspool } from './spool.ts'
import { type Sample, type VideoInput, decodeSample, decodeVideo } from './video-input.ts'
import { openVideoEncoder } from './video-output.ts'
import { type PlannedFrame, type Rehearsal, planWindows } from './windows.ts'

/** Files to write, which are there and empty. */
export interface VideoFiles {
  /** The MP4. */
  readonly video: string
  /** A line of JSON for each frame: what was hidden in it. */
  readonly records: string
  /** A line of JSON for each frame: what was found in it. Of no use afterwards. */
  readonly findings: string
}

/** What was made of a video. */
export interface AnonymizedVideo {
  readonly frames: number
  readonly keptPlates: number
  readonly verification: Verification
}

/** How much of the work of a frame the search is, about, for showing how far it is; the rest is writing. */
const SEARCH_WORK = 0.7

/**
 * Hides every face and plate of a video. It is decoded twice, the second decoding a window behind the first: once to search it,
 * once to redact and encode, which is rehearsed on a part of the frames. Then what was written is decoded and searched again in
 * part; what is found then is followed and hidden as well, once. Memory does not grow with the length of the video.
 *
 * @param onFrames is told how many frames' work is done
 * @throws RoadveilError ERR_INPUT_UNREADABLE, ERR_REDACTION_UNCHECKED, ERR_ENCODE_FAILED, ERR_OUTPUT_DISK_FULL, and
 *   ERR_REDACTION_UNVERIFIED when something is still found after that; the signal's reason when aborted
 */
export async function anonymizeVideo(
  input: VideoInput,
  files: VideoFiles,
  tools: Tools,
  onFrames: (done: number) => void,
  signal: AbortSignal,
): Promise<AnonymizedVideo> {
  const { networks, options } = tools
  let done = 0
  const add = (work: number): void => onFrames((done += work))
  const follower = options.keptVehicle && followKeptVehicle(options.keptVehicle, tools)
  await using findings = await open(files.findings, 'w+')

  const rehearsal = openRehearsal(input, tools)
  const decoded = rehearsal.sampled(decodeVideo(input, signal))
  const searched = searchVideo(decoded, input, networks.detectors, follower)
  const path = follower?.path ?? []
  const render = async (
    frames: AsyncIterable<SeenFrame>,
    leaks: Leaks,
    rehearse?: Rehearsal,
  ): Promise<Rendered> => {
    const plans = planWindows(frames, path, options, rehearse)
    return write(input, files, { plans, leaks, tools, onFrame: () => add(1 - SEARCH_WORK) }, signal)
  }
  const verify = (rendered: Rendered): Promise<Leaks> =>
    searchAgain({ ...input, file: files.video, end: Infinity }, rendered, tools, signal)

  let rendered = await render(
    counted(spool(searched, findings), () => add(SEARCH_WORK)),
    rehearsal.leaks,
    rehearsal.rehearse,
  )
  const leaks = await verify(rendered)
  if (leaks.size > 0) {
    const all = joinLeaks(rehearsal.leaks, leaks)
    rendered = await render(repairSearch(unspool(findings), all), all)
    const left = await verify(rendered)
    if (left.size > 0) {
      const message = `faces or plates were found again in ${left.size} frames of the redacted video`
      throw new RoadveilError('ERR_REDACTION_UNVERIFIED', message)
    }
  }
  return {
    frames: rendered.frames,
    keptPlates: rendered.keptPlates,
    verification: { checkedFrames: rendered.toVerify.size, repairedFrames: leaks.size },
  }
}

/** What was hidden in a frame, and the plate that was not. */
interface Hidden {
  readonly hidden: readonly Region[]
  readonly kept: readonly Box[]
}

/** What was written, and what of it is to be searched again. */
interface Rendered {
  readonly frames: number
  readonly keptPlates: number
  readonly sample: Sample
  /** By the numbers of the frames of the sample. */
  readonly toVerify: ReadonlyMap<number, Hidden>
}

interface Plans {
  readonly plans: AsyncGenerator<PlannedFrame, void, undefined>
  readonly leaks: Leaks
  readonly tools: Tools
  readonly onFrame: () => void
}

/** Decodes the video, redacts every frame by its plan, encodes it and writes down what was hidden. */
async function write(
  input: VideoInput,
  files: VideoFiles,
  { plans, leaks, tools, onFrame }: Plans,
  signal: AbortSignal,
): Promise<Rendered> {
  const { options } = tools
  const toVerify = new Map<number, Hidden>()
  let [frames, keptPlates] = [0, 0]
  let last: { readonly number: number; readonly hidden: Hidden } | undefined
  const sample = sampleUnseen(input.fps)
  let writing = Promise.resolve()
  await using records = await open(files.records, 'w')
  await using encoder = openVideoEncoder(files.video, input, input.colours)
  try {
    for await (const raw of decodeVideo(input, signal)) {
      const { value: planned } = await plans.next()
      if (planned?.seen.number !== raw.sequence || planned.seen.capturedAt !== raw.capturedAt)
        throw unchecked('another frame than the one that was searched')
      const { seen, plan } = planned
      const regions = [...plan.regions, ...(leaks.get(seen.number) ?? []).map(coverOf)]
      const kept = plan.offenderPlate?.box
      const image = redactVideoFrame(raw, regions, { style: options.style })
      if (options.preview) drawPreview(image, regions)
      const since = seen.number - sample.first
      // Up to the sample's first frame the latest: a video may be shorter.
      if (since <= 0) toVerify.clear()
      const hidden = { hidden: regions, kept: kept ? [kept] : [] }
      if (since <= 0 || since % sample.every === 0) toVerify.set(seen.number, hidden)
      last = { number: seen.number, hidden }
      // The encoder takes one image while the next is decoded and planned.
      await writing
      writing = encoder.write(image)
      writing.catch(() => undefined)
      await writeRecord(records, recordFrame({ ...seen, ...input }, regions, kept))
      frames++
      if (kept) keptPlates++
      onFrame()
    }
    if ((await plans.next()).done !== true) throw unchecked('fewer frames than were searched')
    if (frames === 0) throw new RoadveilError('ERR_INPUT_UNREADABLE', 'the video has no frame')
    await writing
    await encoder.finish()
    // No frame after the last one says what was missed in it.
    if (last) toVerify.set(last.number, last.hidden)
    const first = Math.min(...toVerify.keys())
    return { frames, keptPlates, toVerify, sample: { ...sample, first, last: last?.number ?? first } }
  } finally {
    await plans.return()
  }
}

async function writeRecord(file: FileHandle, record: ReturnType<typeof recordFrame>): Promise<void> {
  await append(file, `${JSON.stringify(record)}\n`)
}

/** Decodes what was written, as anybody would, and searches a part of it in another way than before. */
async function searchAgain(
  output: VideoInput,
  { toVerify, sample }: Rendered,
  { networks }: Tools,
  signal: AbortSignal,
): Promise<Leaks> {
  const leaks = new Map<number, readonly FoundRegion[]>()
  let checked = 0
  for await (const frame of decodeSample(output, sample, signal)) {
    const wanted = toVerify.get(frame.sequence)
    if (!wanted) throw unchecked('a frame that was not written')
    checked++
    const found = await findLeaks(
      frame,
      wanted.hidden,
      wanted.kept,
      networks.detectors.regions,
      (picture, plate) => readPlate(picture, plate, networks.plateText),
    )
    if (found.length > 0) leaks.set(frame.sequence, found)
  }
  if (checked === 0 || checked !== toVerify.size) throw unchecked('fewer frames than were written')
  return leaks
}

async function* counted<T>(items: AsyncIterable<T>, onItem: () => void): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    onItem()
    yield item
  }
}

function unchecked(what: string): RoadveilError {
  return new RoadveilError('ERR_REDACTION_UNCHECKED', `decoding the video again gave ${what}`)
}
