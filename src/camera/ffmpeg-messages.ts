import { RoadveilError, type ErrorCode } from '../errors.ts'

/** What a line of ffmpeg's says, as far as it matters. Never holds the line itself, which may show credentials. */
export type FfmpegMessage =
  | { readonly kind: 'failure'; readonly error: RoadveilError }
  /** Pictures have another size from now on. */
  | { readonly kind: 'size-change'; readonly width: number; readonly height: number }

/** Texts of ffmpeg 5.1 to 7.1 and of the C library's error messages, in the C locale. */
const FAILURES: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/\b40[13] (Unauthorized|Forbidden)/, 'ERR_CAMERA_UNAUTHORIZED', 'the camera refused the credentials'],
  [/Connection refused/, 'ERR_CAMERA_UNREACHABLE', 'the camera refused the connection'],
  [/(Connection|Operation) timed out/, 'ERR_CAMERA_UNREACHABLE', 'the camera did not answer in time'],
  [
    /(No route to host|Network is unreachable|Host is down)/,
    'ERR_CAMERA_UNREACHABLE',
    'there is no way to the camera',
  ],
  [
    /(Failed to resolve hostname|Name or service not known)/,
    'ERR_CAMERA_UNREACHABLE',
    'the host name is unknown',
  ],
  [/\b404 Not Found/, 'ERR_CAMERA_UNREACHABLE', 'the camera has no stream of that path'],
  [
    /\b(4\d\d|5\d\d) .*(Bad Request|Server Error|reply|Unavailable)/,
    'ERR_CAMERA_UNREACHABLE',
    'the camera refused',
  ],
  [/Connection reset by peer/, 'ERR_CAMERA_UNREACHABLE', 'the camera closed the connection'],
  [/No such file or directory/, 'ERR_CAMERA_UNREACHABLE', 'there is no such recording'],
  [/Permission denied/, 'ERR_CAMERA_UNREACHABLE', 'the recording may not be read'],
  [/Invalid data found when processing input/, 'ERR_CAMERA_GARBAGE', 'what came is no video'],
  [/Stream map '.*' matches no streams/, 'ERR_CAMERA_GARBAGE', 'there is no video stream'],
  [/(Decoder .*not found|Could not find codec parameters)/, 'ERR_CAMERA_GARBAGE', 'the codec is not known'],
  [/Can't write packet with unknown timestamp/, 'ERR_CAMERA_GARBAGE', 'the video has no timestamps'],
]

const SIZE_CHANGE = /incoming frame - w: (\d{1,5}) h: (\d{1,5}) /

/** Reads one line that ffmpeg wrote at log level info. */
export function readFfmpegMessage(line: string): FfmpegMessage | undefined {
  const size = SIZE_CHANGE.exec(line)
  if (size) return { kind: 'size-change', width: Number(size[1]), height: Number(size[2]) }
  for (const [pattern, code, message] of FAILURES) {
    if (pattern.test(line)) return { kind: 'failure', error: new RoadveilError(code, message) }
  }
  return undefined
}
