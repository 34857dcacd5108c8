import { execFileSync } from 'node:child_process'
// Before the runtime, which reads it when it is loaded.
import '../../src/detection/quiet-runtime.ts'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { readFile } from 'node:fs/promises'
import { findModel, resolveModelFile } from '../../src/models/manifest.ts'
import { loadModelSource } from '../../src/models/source.ts'

/** CPU seconds that ffmpeg alone needs to decode so many seconds of the clip, looped, and throw the frames away. */
export function bareDecodeSeconds(clip: string, seconds: number): number {
  const args = [
    '-nostdin',
    '-hide_banner',
    '-threads',
    '1',
    '-stream_loop',
    '-1',
    '-t',
    String(seconds),
    '-i',
    clip,
  ]
  const shell = ['-c', 'exec "$0" "$@" 2>&1', 'ffmpeg', '-benchmark', ...args, '-an', '-f', 'null', '-']
  const output = execFileSync('sh', shell).toString()
  const times = /bench: utime=([\d.]+)s stime=([\d.]+)s/.exec(output)
  if (!times) throw new Error('ffmpeg printed no times')
  return Number(times[1]) + Number(times[2])
}

/** CPU seconds that the object detector's network alone needs for so many frames. */
export async function bareInferenceSeconds(frames: number): Promise<number> {
  const { manifest, directory } = await loadModelSource()
  const entry = findModel(manifest, 'objects')
  const content = await readFile(await resolveModelFile(entry, directory))
  const session = await InferenceSession.create(content, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  // What the detector is given of a picture of 16:9.
  const [width, height] = [544, 320]
  const input = new Tensor('uint8', new Uint8Array(3 * width * height).fill(114), [1, 3, height, width])
  await session.run({ [entry.input.name]: input })
  const before = process.cpuUsage()
  for (let i = 0; i < frames; i++) await session.run({ [entry.input.name]: input })
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
