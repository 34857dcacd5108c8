import { createHash, randomUUID } from 'node:crypto'
import { relative, resolve } from 'node:path'
import { RoadveilError, isRoadveilError } from '../errors.ts'
import { visible } from '../scrub.ts'
import { VERSION } from '../version.ts'
import { type Job, type Progress, jobOf, workOn } from './batch.ts'
import { type Failure, type InputFile, findInputs } from './inputs.ts'
import type { Tools } from './options.ts'
import { openOutputFolder, placeFor, readMark } from './outputs.ts'
import { type Result, openReport } from './report.ts'

export interface AnonymizeRequest extends Tools {
  /** Files and folders. */
  readonly inputs: readonly string[]
  readonly out: string
  /** A file for what was hidden in every frame. */
  readonly report?: string
  /** The networks, for the report and to know what was made with others. */
  readonly models: readonly { readonly role: string; readonly file: string; readonly sha256: string }[]
}

export interface Listener {
  readonly onProgress: (progress: Progress) => void
  readonly onResult: (result: Result) => void
}

/** What became of a batch. */
export interface Outcome {
  readonly anonymized: number
  readonly unchanged: number
  /** Files in folders that are no pictures or videos by their names, and hidden folders; the report names them. */
  readonly leftOut: number
  /** Pictures and frames of what was anonymized now or earlier. */
  readonly frames: number
  /** Of these, in so many a plate was left readable. */
  readonly keptPlates: number
  /** Inputs, and the report where it could not be written. */
  readonly failures: readonly Failure[]
}

/**
 * Anonymizes pictures and videos into a folder, one after the other. What an earlier run finished is left as it is. An input that
 * fails leaves nothing behind and does not stop the others.
 *
 * @throws RoadveilError ERR_USAGE, ERR_OUTPUT_IS_INPUT, ERR_OUTPUT_TWICE, ERR_OUTPUT_BUSY, ERR_OUTPUT_UNWRITABLE, ERR_OUTPUT_DISK_FULL,
 *   ERR_INPUT_MISSING when there is nothing to do at all, ERR_ANONYMIZE_STOPPED when aborted
 */
export async function anonymize(
  request: AnonymizeRequest,
  { onProgress, onResult }: Listener,
  signal: AbortSignal,
): Promise<Outcome> {
  const out = resolve(request.out)
  await using open = new AsyncDisposableStack()
  open.use(await openOutputFolder(out))
  const { files, failures, leftOut } = await findInputs(request.inputs, out)
  refuseWrongUse(request, files)
  refuseSameOutputs(files)
  if (files.length + failures.length === 0)
    throw new RoadveilError('ERR_INPUT_MISSING', `no picture or video in ${request.inputs.join(', ')}`)

  const madeWith = fingerprint(request)
  await using report =
    request.report === undefined
      ? undefined
      : await openReport(resolve(request.report), { ...headOf(request), leftOut })
  const outcome = {
    anonymized: 0,
    unchanged: 0,
    leftOut: leftOut.length,
    frames: 0,
    keptPlates: 0,
    failures: [] as Failure[],
  }
  const note = async (result: Result): Promise<void> => {
    if (result.result === 'failed') outcome.failures.push(result)
    else {
      outcome[result.result]++
      outcome.frames += result.mark.frames
      outcome.keptPlates += result.mark.keptPlates
    }
    onResult(result)
    await report?.add(result)
  }
  try {
    for (const failure of failures) await note({ ...failure, result: 'failed' })
    const jobs: Job[] = []
    for (const input of files) {
      signal.throwIfAborted()
      const place = placeFor(out, input.output)
      const mark = await readMark(place)
      if (mark?.input === input.identity && mark.madeWith === madeWith)
        await note({ input: input.shown, kind: input.kind, result: 'unchanged', mark, place })
      else jobs.push(await jobOf(input, place, signal))
    }
    await workOn(jobs, { tools: request, madeWith, note, onProgress }, signal)
    await report?.finish().catch((error: unknown) => {
      if (!isRoadveilError(error)) throw error
      const failure = { input: relative('', request.report ?? ''), error }
      outcome.failures.push(failure)
      onResult({ ...failure, result: 'failed' })
    })
    return outcome
  } catch (cause) {
    if (!signal.aborted) throw cause
    throw new RoadveilError('ERR_ANONYMIZE_STOPPED', 'stopped before everything was done', { cause })
  }
}

function refuseWrongUse({ options, report }: AnonymizeRequest, files: readonly InputFile[]): void {
  if (options.keptVehicle && 'box' in options.keptVehicle && files.length > 1) {
    throw new RoadveilError('ERR_USAGE', '--keep-plate-of with a box is for one picture or video')
  }
  if (report !== undefined && files.some(({ file }) => file === resolve(report)))
    throw new RoadveilError('ERR_OUTPUT_IS_INPUT', 'the report would take the place of an input')
}

/** One would take the place of the other, now or the next time. */
function refuseSameOutputs(files: readonly InputFile[]): void {
  const byOutput = new Map<string, InputFile>()
  for (const input of files) {
    const other = byOutput.get(input.output)
    if (other) {
      const [first, second] = [other, input].map(({ shown }) => visible(shown))
      throw new RoadveilError(
        'ERR_OUTPUT_TWICE',
        `${first} and ${second} would have the same name in the output`,
      )
    }
    byOutput.set(input.output, input)
  }
}

/**
 * What an output depends on beside its input. Whoever has it could try one plate after the other: a plate's text is left out, and
 * chance stands in for it, so that such an output is always made anew.
 */
function fingerprint({ models, options }: AnonymizeRequest): string {
  const { keptVehicle } = options
  const said = keptVehicle && 'text' in keptVehicle ? { ...options, keptVehicle: randomUUID() } : options
  const all = [VERSION, ...models.map(({ role, sha256 }) => `${role} ${sha256}`), JSON.stringify(said)]
  return createHash('sha256').update(all.join('\n')).digest('hex')
}

function headOf({ models, options }: AnonymizeRequest): Readonly<Record<string, unknown>> {
  const { style, maskOccupants, preview, keptVehicle } = options
  return {
    software: { version: VERSION, models },
    options: { style, maskOccupants, preview, keepsPlate: keptVehicle !== undefined },
  }
}
