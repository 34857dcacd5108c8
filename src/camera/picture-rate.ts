/** Forgives times that are rounded to milliseconds. */
const ROUNDING = 0.05

/** The ffmpeg filter that lets the first picture of every interval of 1/fps seconds pass, counted from `originSeconds`. */
export function selectFps(fps: number, originSeconds = 0): string {
  const interval = (time: string): string => `floor((${time}-(${originSeconds}))*${fps}+${ROUNDING})`
  return `select='isnan(prev_selected_t)+gt(${interval('t')},${interval('prev_selected_t')})'`
}

/** The number of the interval that `selectFps` finds a picture in; 0 begins at `originSeconds`. */
export function intervalAt(seconds: number, fps: number, originSeconds: number): number {
  return Math.max(0, Math.floor((seconds - originSeconds) * fps + ROUNDING))
}
