/**
 * Decoded pictures. Raw pixels live in RAM only and have one door out: privacy/ turns a `RawFrame` into a
 * `RedactedImage`, and nothing else can. The brands make the two impossible to confuse.
 */

import type { Matrix } from './colour.ts'

declare const raw: unique symbol
declare const redacted: unique symbol

/** Milliseconds since 1970-01-01T00:00:00Z, fractions allowed. */
export type EpochMs = number

/** A time as it is written: ISO 8601, UTC, with milliseconds. */
export function iso(at: EpochMs): string {
  return new Date(at).toISOString()
}

/** When something reached this machine, on the host's clocks. */
export interface Arrival {
  /** The host's UTC clock, right or wrong. */
  readonly hostAt: EpochMs
  /** Milliseconds of the host's monotonic clock. */
  readonly monotonicMs: number
}

/** One decoded picture with everything in it readable. Never leaves the vision process. */
export interface RawFrame {
  readonly [raw]: true
  readonly cameraId: string
  /** Counts the frames of one camera since the process started. */
  readonly sequence: number
  /** Capture time on the camera's time line, in UTC. */
  readonly capturedAt: EpochMs
  /** Pixels. */
  readonly width: number
  /** Pixels. */
  readonly height: number
  /** Planar 8-bit, ffmpeg's gbrp: the whole G plane, then B, then R; `width * height` bytes each. */
  readonly planes: Uint8Array
}

/**
 * A small frame for the detector: the camera's picture scaled down, top left aligned, the rest grey (114), so that its sides
 * are multiples of 32.
 * A point of the full picture in 0-1 coordinates lies at pixel (x * contentWidth, y * contentHeight).
 */
export interface AnalysisFrame extends RawFrame {
  /** Pixels of the frame's width that the picture fills. */
  readonly contentWidth: number
  /** Pixels of the frame's height that the picture fills. */
  readonly contentHeight: number
  readonly arrival: Arrival
}

/** A picture in which every face and every bystander's plate is destroyed. Only privacy/ makes these. */
export interface RedactedImage {
  readonly [redacted]: true
  readonly capturedAt: EpochMs
  readonly width: number
  readonly height: number
  /** Planar 8-bit G, B, R as in `RawFrame`. */
  readonly planes: Uint8Array
}

/** Pixels of a video as players have them: what is only hidden and encoded again need not become red, green and blue first. */
export interface VideoPixels {
  readonly format: 'yuv420p'
  /** How its colours are coded. */
  readonly matrix: Matrix
  /** Milliseconds on the time line of the video; that of a camera is in UTC. */
  readonly capturedAt: number
  /** Pixels. */
  readonly width: number
  /** Pixels. */
  readonly height: number
  /** Planar 8-bit, limited range: Y, then U and V, each half as wide and high, rounded up. */
  readonly planes: Uint8Array
}

/** One frame of a video with everything in it readable. */
export interface RawVideoFrame extends VideoPixels {
  readonly [raw]: true
  readonly cameraId: string
  /** As of a `RawFrame`; in a file from 0. */
  readonly sequence: number
}

/** A frame of a video in which every face and every plate is destroyed but what is kept on purpose. Only privacy/ makes these. */
export interface RedactedVideoFrame extends VideoPixels {
  readonly [redacted]: true
}

/** Bytes of the planes of a frame of a video. */
export function videoFrameBytes({ width, height }: Pick<VideoPixels, 'width' | 'height'>): number {
  return width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2)
}

/** Brands decoded pixels. For camera/ and the decoder of evidence/ only, where pixels enter. */
export function rawFrame<T extends Omit<RawFrame, typeof raw>>(frame: T): T & RawFrame {
  const size = frame.width * frame.height * 3
  if (frame.planes.length !== size) {
    throw new RangeError(
      `a ${frame.width}x${frame.height} frame has ${size} bytes, not ${frame.planes.length}`,
    )
  }
  return frame as T & RawFrame
}

/** Brands pixels as redacted. For privacy/ only: a test reads the imports and keeps this true. */
export function redactedImage(image: Omit<RedactedImage, typeof redacted>): RedactedImage {
  return image as RedactedImage
}

/** Brands a decoded frame of a video, for the rooms that may bring in a `rawFrame`. */
export function rawVideoFrame(frame: Omit<RawVideoFrame, typeof raw>): RawVideoFrame {
  const size = videoFrameBytes(frame)
  if (frame.planes.length !== size) {
    throw new RangeError(
      `a ${frame.width}x${frame.height} frame has ${size} bytes, not ${frame.planes.length}`,
    )
  }
  return frame as RawVideoFrame
}

/** Brands a frame of a video as redacted. For privacy/ only, as `redactedImage`. */
export function redactedVideoFrame(frame: Omit<RedactedVideoFrame, typeof redacted>): RedactedVideoFrame {
  return frame as RedactedVideoFrame
}
