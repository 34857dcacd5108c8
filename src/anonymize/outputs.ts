import { type FileHandle, lstat, mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { RoadveilError, isRoadveilError } from '../errors.ts'
import { type InputFile, identityOf } from './inputs.ts'
import { lockFolder } from './lock.ts'

/** Where everything lies that belongs to one output. */
export interface Place {
  readonly output: string
  /** Says what the output was made of; there as long as the output is. */
  readonly mark: string
  /** A line of JSON for each frame of the output. */
  readonly records: string
  /** The output while it is made. Holds redacted pictures only. */
  readonly part: string
  /** What was found while it is made: boxes. */
  readonly findings: string
}

/** What an output was made of and with. */
export interface Mark {
  readonly schema: 'roadveil.anonymized.v1'
  readonly input: string
  /** Hash of the software's version, its networks and the options; chance, where a plate was named. */
  readonly madeWith: string
  readonly output: string
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly keptPlates: number
  readonly verification: { readonly checkedFrames: number; readonly repairedFrames: number }
}

const count = z.int().nonnegative()
const markSchema = z.strictObject({
  schema: z.literal('roadveil.anonymized.v1'),
  ...{ input: z.string(), madeWith: z.string(), output: z.string() },
  ...{ width: count, height: count, frames: count, keptPlates: count },
  verification: z.strictObject({ checkedFrames: count, repairedFrames: count }),
})

/** The folder below the output folder in which marks lie and outputs are made. */
const WORK = '.roadveil-anonymize'

export function placeFor(out: string, name: string): Place {
  const work = join(out, WORK, name)
  return {
    output: join(out, name),
    ...{ mark: `${work}.json`, records: `${work}.jsonl`, part: `${work}.part`, findings: `${work}.found` },
  }
}

/**
 * Makes the output folder, if it is not there, and keeps other runs out of it until it is disposed.
 *
 * @throws RoadveilError ERR_OUTPUT_UNWRITABLE, ERR_OUTPUT_DISK_FULL, ERR_OUTPUT_BUSY
 */
export async function openOutputFolder(out: string): Promise<AsyncDisposable> {
  const work = join(out, WORK)
  await writing(async () => mkdir(work, { recursive: true, mode: 0o700 }))
  return lockFolder(work)
}

/** The mark of an output that is there as it was written, or undefined. */
export async function readMark(place: Place): Promise<Mark | undefined> {
  const found = await lstat(place.output, { bigint: true }).catch(() => undefined)
  const text = await readFile(place.mark, 'utf8').catch(() => '{}')
  const { data } = markSchema.safeParse(jsonOf(text))
  return found?.isFile() && data?.output === identityOf(found) ? data : undefined
}

/**
 * Makes room for an output: an older one of ours goes, anything else stays. Leaves empty files that nobody else may read.
 *
 * @throws RoadveilError ERR_OUTPUT_IS_INPUT, ERR_ALREADY_THERE when the file there was not made here, ERR_OUTPUT_UNWRITABLE
 */
export async function prepare(place: Place, input: InputFile): Promise<void> {
  const there = await realpath(place.output).catch(() => undefined)
  if (there !== undefined && there === (await realpath(input.file)))
    throw new RoadveilError('ERR_OUTPUT_IS_INPUT', 'the output would take the place of the input')
  const isThere = await lstat(place.output).then(
    () => true,
    () => false,
  )
  if (isThere && !(await readMark(place)))
    throw new RoadveilError('ERR_ALREADY_THERE', `${place.output} is there already and was not made here`)
  await writing(async () => {
    for (const file of [place.output, place.mark]) await rm(file, { force: true })
    for (const file of [place.output, place.part]) await mkdir(dirname(file), { recursive: true })
    for (const file of [place.part, place.records, place.findings]) {
      await rm(file, { force: true })
      await (await open(file, 'wx', 0o600)).close()
    }
  })
}

/** Puts the output that was made into its place, at once and whole. @throws RoadveilError ERR_OUTPUT_UNWRITABLE */
export async function commit(place: Place, made: Omit<Mark, 'schema' | 'output'>): Promise<Mark> {
  return writing(async () => {
    await using part = await open(place.part, 'r')
    await part.sync()
    const output = identityOf(await part.stat({ bigint: true }))
    const mark = { schema: 'roadveil.anonymized.v1', ...made, output } as const
    // The mark first: an output without one would be taken for somebody else's.
    await using file = await open(place.mark, 'w', 0o600)
    await file.writeFile(JSON.stringify(mark))
    await file.sync()
    await rename(place.part, place.output)
    await rm(place.findings, { force: true })
    return mark
  })
}

/** Leaves nothing of an output that was not finished. */
export async function discard(place: Place): Promise<void> {
  for (const file of [place.part, place.findings, place.records, place.mark])
    await rm(file, { force: true }).catch(() => undefined)
}

/** Does what writes to the output folder. @throws RoadveilError ERR_OUTPUT_DISK_FULL, ERR_OUTPUT_UNWRITABLE */
export async function writing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (isRoadveilError(cause)) throw cause
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOSPC' || code === 'EDQUOT') throw diskFull(cause)
    throw new RoadveilError('ERR_OUTPUT_UNWRITABLE', 'the output could not be written', { cause })
  }
}

export function diskFull(cause?: unknown): RoadveilError {
  return new RoadveilError('ERR_OUTPUT_DISK_FULL', 'there is no room left for the output', { cause })
}

/** Appends to an open file, whole or with an error: a plain `write` may leave off in the middle of a line where a disk is full. */
export async function append(file: FileHandle, text: string): Promise<void> {
  await writing(async () => file.appendFile(text))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
