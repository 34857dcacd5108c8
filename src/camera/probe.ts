import type { CameraConfig } from '../config/config.ts'
import { RoadveilError } from '../errors.ts'
import { startFfmpeg } from './ffmpeg.ts'
import { cameraInput } from './input.ts'

/**
 * Looks whether a camera sends video that can be decoded: its first picture, which goes nowhere.
 *
 * @throws ERR_SECRET_FILE, what ffmpeg's messages say, ERR_CAMERA_STALLED when nothing came within `timeoutMs`
 */
export async function probeCamera(config: CameraConfig, timeoutMs: number): Promise<void> {
  const input = await cameraInput(config)
  const quiet = ['-hide_banner', '-nostats', '-loglevel', 'info', '-threads', '1']
  const output = ['-map', '0:v:0', '-frames:v', '1', '-f', 'null', '-']
  await using ffmpeg = startFfmpeg([...quiet, ...input.args, ...output], input.stdin, 0)
  const deadline = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => deadline.resolve(undefined), timeoutMs)
  const end = await Promise.race([ffmpeg.ended, deadline.promise])
  clearTimeout(timer)
  if (!end) throw new RoadveilError('ERR_CAMERA_STALLED', `no picture came within ${timeoutMs / 1000} s`)
  if (end.exitCode === 0) return
  throw end.failure ?? new RoadveilError('ERR_CAMERA_ENDED', 'the stream ended before its first picture')
}
