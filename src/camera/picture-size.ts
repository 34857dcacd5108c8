import { selectFps } from './picture-rate.ts'

/** Pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** Networks that take any size halve it five times: the sides of what they are given are multiples of this. */
const GRAIN = 32

/**
 * The ffmpeg filter that makes analysis frames: `fps` pictures per second at their own times, scaled as `analysisSize`
 * says, top left aligned, the rest grey (114), planar.
 *
 * Not ffmpeg's `fps` filter: that moves pictures to a grid, by up to half an interval, and time comes from frames.
 */
export function analysisFilter(fps: number, pixels: number): string {
  const longer = `max(${GRAIN},${GRAIN}*floor(sqrt(${pixels}*max(iw,ih)/min(iw,ih))/${GRAIN}))`
  return [
    selectFps(fps),
    `scale=w='if(gte(iw,ih),${longer},max(1,round(${longer}*iw/ih)))'` +
      `:h='if(gte(iw,ih),max(1,round(${longer}*ih/iw)),${longer})':flags=area`,
    'format=gbrp',
    `pad=w='ceil(iw/${GRAIN})*${GRAIN}':h='ceil(ih/${GRAIN})*${GRAIN}':color=0x727272`,
  ].join(',')
}

/**
 * How large a picture is in analysis frames of about so many pixels, and the frame around it; the same arithmetic as in
 * `analysisFilter`. The picture keeps its shape, its longer side is a multiple of 32 and the frame the smallest such around it.
 */
export function analysisSize(
  { width, height }: PictureSize,
  pixels: number,
): { readonly content: PictureSize; readonly frame: PictureSize } {
  const aspect = Math.max(width, height) / Math.min(width, height)
  const longer = Math.max(GRAIN, GRAIN * Math.floor(Math.sqrt(pixels * aspect) / GRAIN))
  const shorter = Math.max(1, Math.round(longer / aspect))
  const content = width >= height ? { width: longer, height: shorter } : { width: shorter, height: longer }
  const whole = (side: number): number => Math.ceil(side / GRAIN) * GRAIN
  return { content, frame: { width: whole(content.width), height: whole(content.height) } }
}
