import type { FileHandle } from 'node:fs/promises'
import { append } from './outputs.ts'
import type { SeenFrame } from './search-video.ts'

/**
 * Passes frames on and writes down what was found in them, so that a second round need not search again. Boxes and scores
 * only: nothing of a picture is in them.
 */
export async function* spool(
  frames: AsyncIterable<SeenFrame>,
  file: FileHandle,
): AsyncGenerator<SeenFrame, void, undefined> {
  for await (const frame of frames) {
    await append(file, `${JSON.stringify(frame)}\n`)
    yield frame
  }
}

/** The frames again, as they were written down. */
export async function* unspool(file: FileHandle): AsyncGenerator<SeenFrame, void, undefined> {
  for await (const line of file.readLines({ start: 0, autoClose: false })) yield JSON.parse(line) as SeenFrame
}
