import { type RawFrame, type RawVideoFrame, rawVideoFrame, videoFrameBytes } from '../../src/domain/frame.ts'

/** The frame as a video has it: brightness, and colours of half the width and height, by BT.709 in limited range. */
export function asVideo(frame: RawFrame): RawVideoFrame {
  const { width, height, cameraId, sequence, capturedAt } = frame
  const size = { width, height }
  const whole = width * height
  const half = (width / 2) * (height / 2)
  const planes = new Uint8Array(videoFrameBytes(size))
  const colour = (i: number): Uint8Array => frame.planes.subarray(i * whole, (i + 1) * whole)
  const [green, blue, red] = [colour(0), colour(1), colour(2)]
  const mixed = (at: number, ofGreen: number, ofBlue: number, ofRed: number): number =>
    Math.round(ofGreen * (green[at] ?? 0) + ofBlue * (blue[at] ?? 0) + ofRed * (red[at] ?? 0))
  for (let at = 0; at < whole; at++) planes[at] = 16 + mixed(at, 0.6142, 0.062, 0.1826)
  for (let y = 0, to = whole; y < height; y += 2) {
    for (let x = 0; x < width; x += 2, to++) {
      const at = y * width + x
      planes[to] = 128 + mixed(at, -0.3386, 0.4392, -0.1006)
      planes[to + half] = 128 + mixed(at, -0.3989, -0.0403, 0.4392)
    }
  }
  const coding = { format: 'yuv420p', matrix: 'bt709' } as const
  return rawVideoFrame({ ...coding, cameraId, sequence, capturedAt, ...size, planes })
}
