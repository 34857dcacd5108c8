import { isRoadveilError } from '../errors.ts'
import { askFfprobe, safeInput } from './ffprobe.ts'
import { MAX_VIDEO_PIXELS, type VideoInput, decodeVideo } from './video-input.ts'

/** A decoder holds back as many frames at most, and shows none of them when it meets damage. */
const MAX_HELD_FRAMES = 20

/**
 * The part of a video that decodes without errors, where it is only its last packet that does not: the recording was cut off in
 * the middle of it. Undefined where anything before is damaged, too, or where it cannot be told at which byte that packet begins.
 *
 * Only asked once decoding has failed, since it reads and decodes the whole video.
 *
 * @throws the signal's reason when aborted, ERR_FFMPEG_MISSING
 */
export async function withoutDamagedEnd(
  input: VideoInput,
  signal: AbortSignal,
): Promise<VideoInput | undefined> {
  const starts = await packetStarts(input, signal)
  const end = starts.reduce((last, start) => Math.max(last, start), 0)
  const whole = { ...input, end }
  if (end === 0 || starts.length - (await countFrames(input, signal)) > MAX_HELD_FRAMES) return undefined
  return (await countFrames(whole, signal, true)) > 0 ? whole : undefined
}

/** The byte at which each packet of the video begins, where the container says it. */
async function packetStarts(input: VideoInput, signal: AbortSignal): Promise<number[]> {
  const what = ['-select_streams', 'V:0', '-show_entries', 'packet=pos', '-of', 'csv=p=0']
  const answer = await askFfprobe([...what, ...safeInput(input, MAX_VIDEO_PIXELS)], signal, 0)
  return answer.split('\n').flatMap((line) => (/^\d+/.test(line) ? [Number.parseInt(line)] : []))
}

/** How many frames come before damage; with `mustBeWhole`, none where there is any. */
async function countFrames(input: VideoInput, signal: AbortSignal, mustBeWhole = false): Promise<number> {
  let count = 0
  try {
    for await (const frame of decodeVideo(input, signal)) count = frame.sequence + 1
  } catch (error) {
    if (!isRoadveilError(error, 'ERR_INPUT_UNREADABLE')) throw error
    if (mustBeWhole) return 0
  }
  return count
}
