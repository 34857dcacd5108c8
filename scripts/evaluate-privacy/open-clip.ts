import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { parseTruth } from './ground-truth.ts'
import { objectsIn, parseKeyframes } from './keyframes.ts'
import type { LabelledClip } from './labelled-clip.ts'

const run = promisify(execFile)
const MAX_ANSWER_BYTES = 2 ** 26

/**
 * Opens a clip with its labels.
 *
 * @throws when the clip is not there, or is another one than was labelled
 */
export async function openClip(file: string, labels: string): Promise<LabelledClip> {
  if (!existsSync(file)) throw new Error(`the clip ${file} is not there: clips do not come with the project`)
  const json: unknown = JSON.parse(await readFile(labels, 'utf8'))
  if (labels.endsWith('.gt.json')) return parseTruth(file, json)
  const keyframes = parseKeyframes(json)
  const sha256 = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  if (sha256 !== keyframes.sha256)
    throw new Error(`${file} is not the ${keyframes.clip} of which ${labels} tells: it has another SHA-256`)
  const times = await timesOf(file)
  if (times.length !== keyframes.frames)
    throw new Error(`${file} has ${times.length} frames, not ${keyframes.frames}`)
  const { width, height } = keyframes
  return { file, width, height, times, objectsIn: (frame) => objectsIn(keyframes, frame) }
}

/** Seconds of every frame, in the order in which they are seen. */
async function timesOf(file: string): Promise<number[]> {
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0']
  const { stdout } = await run('ffprobe', [...args, file], { maxBuffer: MAX_ANSWER_BYTES })
  const times = stdout
    .split('\n')
    .map((line) => Number.parseFloat(line))
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
  return times.map((time) => time - (times[0] ?? 0))
}
