import { open, readFile, stat } from 'node:fs/promises'
import { RoadveilError, isRoadveilError } from '../errors.ts'
import { withoutDamagedEnd } from './cut-off.ts'
import type { InputFile } from './inputs.ts'
import type { Tools } from './options.ts'
import { type Mark, type Place, commit, discard, prepare, writing } from './outputs.ts'
import type { Result } from './report.ts'
import { anonymizeStill } from './still.ts'
import { type VideoInput, probeVideo } from './video-input.ts'
import { anonymizeVideo } from './video.ts'

/** An input that is to be worked on. */
export interface Job {
  readonly input: InputFile
  readonly place: Place
  /** Absent for a still, and for a video that ffprobe does not understand. */
  readonly video?: VideoInput
}

/** How far a batch is. What was done by an earlier run does not count. */
export interface Progress {
  readonly input: string
  readonly kind: InputFile['kind']
  /** Of all inputs that are to be done, from 1. */
  readonly number: number
  readonly count: number
  readonly stills: Share
  /** Frames of videos, about: what a file says of its length need not be true. */
  readonly frames: Share
}

export interface Share {
  readonly done: number
  readonly all: number
}

export interface BatchDeps {
  readonly tools: Tools
  readonly madeWith: string
  readonly note: (result: Result) => Promise<void>
  readonly onProgress: (progress: Progress) => void
}

/** Encoded; more than any camera writes. */
const MAX_STILL_BYTES = 256 * 2 ** 20

/** Looks what a job will be. */
export async function jobOf(input: InputFile, place: Place, signal: AbortSignal): Promise<Job> {
  if (input.kind === 'still') return { input, place }
  const video = await probeVideo(input.file, signal).catch(() => undefined)
  signal.throwIfAborted()
  return video ? { input, place, video } : { input, place }
}

/** Works on one job after the other; what fails is noted. */
export async function workOn(jobs: readonly Job[], deps: BatchDeps, signal: AbortSignal): Promise<void> {
  const all = {
    stills: jobs.filter(({ input }) => input.kind === 'still').length,
    frames: jobs.reduce((sum, { video }) => sum + (video?.frames ?? 0), 0),
  }
  const done = { stills: 0, frames: 0 }
  for (const [index, job] of jobs.entries()) {
    signal.throwIfAborted()
    const { input, video } = job
    const show = (frames: number): void =>
      deps.onProgress({
        ...{ input: input.shown, kind: input.kind, number: index + 1, count: jobs.length },
        stills: { done: done.stills, all: all.stills },
        frames: { done: done.frames + Math.min(frames, video?.frames ?? 0), all: all.frames },
      })
    show(0)
    const result = await attempt(job, deps, show, signal)
    if (input.kind === 'still') done.stills++
    done.frames += video?.frames ?? 0
    show(0)
    await deps.note(result)
  }
}

async function attempt(
  { input, place, video }: Job,
  { tools, madeWith }: BatchDeps,
  onFrames: (done: number) => void,
  signal: AbortSignal,
): Promise<Result> {
  try {
    await prepare(place, input)
  } catch (error) {
    return failed(input, error)
  }
  try {
    const made =
      input.kind === 'still'
        ? await makeStill(input, place, tools)
        : await makeVideo(video ?? (await probeVideo(input.file, signal)), place, tools, onFrames, signal)
    const mark = await commit(place, { input: input.identity, madeWith, ...made })
    return { input: input.shown, kind: input.kind, result: 'anonymized', mark, place }
  } catch (error) {
    await discard(place)
    signal.throwIfAborted()
    return failed(input, error)
  }
}

type Made = Omit<Mark, 'schema' | 'input' | 'madeWith' | 'output'>

async function makeStill(input: InputFile, place: Place, tools: Tools): Promise<Made> {
  const { size } = await stat(input.file)
  if (size > MAX_STILL_BYTES) throw new RoadveilError('ERR_INPUT_TOO_LARGE', `the picture has ${size} bytes`)
  const { bytes, width, height, record, verification } = await anonymizeStill(await read(input.file), tools)
  await writing(async () => {
    await using part = await open(place.part, 'r+')
    await part.writeFile(bytes)
    await using records = await open(place.records, 'r+')
    await records.writeFile(`${JSON.stringify(record)}\n`)
  })
  return { width, height, frames: 1, keptPlates: record.keptPlate ? 1 : 0, verification }
}

async function read(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause: unknown) => {
    throw new RoadveilError('ERR_INPUT_MISSING', 'it is not there, or may not be read', { cause })
  })
}

async function makeVideo(
  video: VideoInput,
  place: Place,
  tools: Tools,
  onFrames: (done: number) => void,
  signal: AbortSignal,
): Promise<Made> {
  const files = { video: place.part, records: place.records, findings: place.findings }
  const anonymizePart = (part: VideoInput): ReturnType<typeof anonymizeVideo> =>
    anonymizeVideo(part, files, tools, onFrames, signal)
  const made = await anonymizePart(video).catch(async (error: unknown) => {
    const isDamaged = isRoadveilError(error, 'ERR_INPUT_UNREADABLE')
    const part = isDamaged ? await withoutDamagedEnd(video, signal).catch(() => undefined) : undefined
    if (!part) throw error
    return anonymizePart(part)
  })
  return { width: video.width, height: video.height, ...made }
}

function failed({ shown }: InputFile, cause: unknown): Result {
  const error = isRoadveilError(cause)
    ? cause
    : new RoadveilError('ERR_INTERNAL', 'it could not be anonymized', { cause })
  return { input: shown, result: 'failed', error }
}
