import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RoadveilError } from '../errors.ts'
import type { InputFile } from './inputs.ts'
import { type Mark, type Place, writing } from './outputs.ts'

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
  add(result: Result): Promise<void>
  finish(): Promise<void>
}

/**
 * Opens the report; the file is there when it is finished.
 *
 * @param head what the report begins with
 * @throws RoadveilError ERR_OUTPUT_UNWRITABLE
 */
export async function openReport(file: string, head: Readonly<Record<string, unknown>>): Promise<Report> {
  const part = join(dirname(file), `.${process.pid}.roadveil-report.part`)
  const handle = await writing(async () => {
    await rm(part, { force: true })
    return open(part, 'wx', 0o600)
  })
  let separator = ''
  const begin = JSON.stringify({ schema: 'roadveil.anonymize-report.v1', ...head }, null, 2)
  await handle.write(`${begin.slice(0, -2)},\n  "inputs": [`)

  const addFrames = async (place: Place): Promise<void> => {
    await using records = await open(place.records)
    let next = ''
    for await (const line of records.readLines({ autoClose: false })) {
      await handle.write(`${next}\n      ${line}`)
      next = ','
    }
  }
  return {
    add: (result) =>
      writing(async () => {
        await handle.write(`${separator}\n    `)
        separator = ','
        if (result.result === 'failed') {
          const { code, message } = result.error
          await handle.write(JSON.stringify({ input: result.input, result: 'failed', code, message }))
          return
        }
        const { mark, place, ...said } = result
        const { width, height, keptPlates, verification } = mark
        const facts = { ...said, output: place.output, width, height, keptPlates, verification }
        await handle.write(`${JSON.stringify(facts).slice(0, -1)},"frames":[`)
        await addFrames(place)
        await handle.write(']}')
      }),
    finish: () =>
      writing(async () => {
        await handle.write('\n  ]\n}\n')
        await handle.sync()
        await rename(part, file)
      }),
    async [Symbol.asyncDispose]() {
      await handle.close()
      await rm(part, { force: true })
    },
  }
}
