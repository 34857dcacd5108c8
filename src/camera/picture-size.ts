import { selectFps } from './picture-rate.ts'

/** Pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/**
 * The ffmpeg filter that makes analysis frames: `fps` pictures per second at their own times, scaled to fit a square of
 * `size`, top left aligned, the rest grey (114), planar.
 *
 * Not ffmpeg's `fps` filter: that moves pictures to a grid, by up to half an interval, and time comes from frames.
 */
export function analysisFilter(fps: number, size: number): string {
  return [
    selectFps(fps),
    `scale=w='if(gte(iw,ih),${size},max(1,round(${size}*iw/ih)))'` +
      `:h='if(gte(iw,ih),max(1,round(${size}*ih/iw)),${size})':flags=area`,
    'format=gbrp',
    `pad=${size}:${size}:0:0:color=0x727272`,
  ].join(',')
}

/** How much of the square the picture fills; the same arithmetic as in `analysisFilter`. */
export function contentSize(source: PictureSize, size: number): PictureSize {
  const { width, height } = source
  return width >= height
    ? { width: size, height: Math.max(1, Math.round((size * height) / width)) }
    : { width: Math.max(1, Math.round((size * width) / height)), height: size }
}
