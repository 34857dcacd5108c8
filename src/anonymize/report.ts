import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type RoadveilError, isRoadveilError } from '../errors.ts'
import type { InputFile } from './inputs.ts'
import { type Mark, type Place, append, writing } from './outputs.ts'

/** What became of one input. */
export type Result =
  | {
      readonly input: string
      /** `unchanged`: an earlier run made it of the same input in the same way. */
      readonly result: 'anonymized' | 'unchanged'
      readonly kind: InputFile['kind']
      readonly mark: Mark
      readonly place: Place
    }
  | { readonly input: string; readonly result: 'failed'; readonly error: RoadveilError }

/** Writes a report as results come, since that of a long video does not fit into memory. Disposing leaves no part of it. */
export interface Report extends AsyncDisposable {
  /** What cannot be written is told by `finish`: it does not stop the work that is reported. */
  add(result: Result): Promise<void>
  /** @throws RoadveilError ERR_OUTPUT_UNWRITABLE, ERR_OUTPUT_DISK_FULL when it is not whole */
  finish(): Promise<void>
}

/** A report while it is written, by the number of the process. */
const PART = /^\.(\d+)\.roadveil-report\.part$/

/**
 * Opens the report; the file is there when it is finished.
 *
 * @param head what the report begins with
 * @throws RoadveilError ERR_OUTPUT_UNWRITABLE, ERR_OUTPUT_DISK_FULL
 */
export async function openReport(file: string, head: Readonly<Record<string, unknown>>): Promise<Report> {
  const part = join(dirname(file), `.${process.pid}.roadveil-report.part`)
  const handle = await writing(async () => {
    await removeStale(dirname(file))
    await rm(part, { force: true })
    return open(part, 'wx', 0o600)
  })
  const close = async (): Promise<void> => {
    await handle.close()
    await rm(part, { force: true })
  }
  const begin = JSON.stringify({ schema: 'roadveil.anonymize-report.v1', ...head }, null, 2)
  await append(handle, `${begin.slice(0, -2)},\n  "inputs": [`).catch(async (error: unknown) => {
    await close()
    throw error
  })
  let separator = ''
  let failure: RoadveilError | undefined

  const addResult = async (result: Result): Promise<void> => {
    await append(handle, `${separator}\n    `)
    separator = ','
    if (result.result === 'failed') {
      const { code, message } = result.error
      await append(handle, JSON.stringify({ input: result.input, result: 'failed', code, message }))
      return
    }
    const { mark, place, ...said } = result
    const { width, height, keptPlates, verification } = mark
    const facts = { ...said, output: place.output, width, height, keptPlates, verification }
    await append(handle, `${JSON.stringify(facts).slice(0, -1)},"frames":[`)
    await addFrames(handle, place)
    await append(handle, ']}')
  }
  return {
    async add(result) {
      if (failure !== undefined) return
      await writing(async () => addResult(result)).catch(async (error: unknown) => {
        if (!isRoadveilError(error)) throw error
        failure = error
        // It takes room from what is still to be made.
        await handle.truncate().catch(() => undefined)
      })
    },
    async finish() {
      if (failure !== undefined) throw failure
      await append(handle, '\n  ]\n}\n')
      await writing(async () => {
        await handle.sync()
        await rename(part, file)
      })
    },
    [Symbol.asyncDispose]: close,
  }
}

async function addFrames(handle: FileHandle, place: Place): Promise<void> {
  await using records = await open(place.records)
  let next = ''
  for await (const line of records.readLines({ autoClose: false })) {
    await append(handle, `${next}\n      ${line}`)
    next = ','
  }
}

/** Takes away what runs left that were killed. */
async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = PART.exec(name)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(folder, name), { force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // That of another user is there, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
