import { execFileSync } from 'node:child_process'
import { analysisSize } from '../../src/camera/picture-size.ts'
import { type AnalysisFrame, type RawFrame, rawFrame } from '../../src/domain/frame.ts'

/** Decoded pictures of a recording, as camera/ and the decoder of evidence/ would give them. */

/** Every `1 / fps` s a small frame for the detector, scaled as camera/ has ffmpeg scale it; the first is of time 0. */
export function analysisFrames(
  file: string,
  { width, height, pixels, fps }: { width: number; height: number; pixels: number; fps: number },
): AnalysisFrame[] {
  const { content, frame: canvas } = analysisSize({ width, height }, pixels)
  const filter =
    `fps=${fps}:round=near,scale=${content.width}:${content.height}:flags=area,` +
    `pad=${canvas.width}:${canvas.height}:0:0:color=0x727272`
  return decode(file, filter, canvas.width, canvas.height).map((frame) => {
    const capturedAt = (frame.sequence * 1000) / fps
    return {
      ...frame,
      capturedAt,
      contentWidth: content.width,
      contentHeight: content.height,
      arrival: { hostAt: capturedAt, monotonicMs: capturedAt },
    }
  })
}

/** The full-size frame at a time. */
export function fullFrame(file: string, width: number, height: number, seconds: number): RawFrame {
  const [frame] = decode(file, 'null', width, height, seconds)
  if (!frame) throw new RangeError(`${file} has no frame at ${seconds} s`)
  return frame
}

/** Decodes from the beginning on, or the one frame at a time in seconds. */
function decode(file: string, filter: string, width: number, height: number, only?: number): RawFrame[] {
  const seek = only === undefined ? [] : ['-ss', String(only)]
  const count = only === undefined ? [] : ['-frames:v', '1']
  const args = ['-v', 'error', ...seek, '-i', file, '-vf', filter, ...count]
  const bytes = execFileSync('ffmpeg', [...args, '-pix_fmt', 'gbrp', '-f', 'rawvideo', 'pipe:1'], {
    maxBuffer: 2 ** 30,
  })
  const size = width * height * 3
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, sequence) =>
    rawFrame({
      cameraId: 'cam-1',
      sequence,
      capturedAt: 0,
      width,
      height,
      planes: new Uint8Array(bytes.buffer, bytes.byteOffset + sequence * size, size),
    }),
  )
}
