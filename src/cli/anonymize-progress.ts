import type { Listener } from '../anonymize/anonymize.ts'
import type { Progress } from '../anonymize/batch.ts'
import { visible } from '../scrub.ts'

/** As much of a stream as progress needs. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const REDRAW_MS = 200
/** Where there is no terminal, a line is enough that often. */
const LINE_MS = 10_000
const BAR_CELLS = 24
const CLEAR_LINE = '\r\x1b[2K'

/**
 * Shows how far a batch is: a bar that is drawn over where there is a terminal, a line now and then where there is none, and
 * nothing without a screen. A failure is shown at once. Disposing takes the bar away.
 */
export function showProgress(
  screen: Screen | undefined,
  now = () => performance.now(),
): Listener & Disposable {
  const rates = createRates(now)
  const isTerminal = screen?.isTTY === true
  let shownAt = -Infinity
  const clear = isTerminal ? CLEAR_LINE : ''
  return {
    onProgress(progress) {
      rates.note(progress)
      if (now() - shownAt < (isTerminal ? REDRAW_MS : LINE_MS)) return
      shownAt = now()
      const line = lineOf(progress, rates, isTerminal ? (screen.columns ?? 80) - 1 : 200)
      screen?.write(isTerminal ? `${clear}${line}` : `${line}\n`)
    },
    onResult(result) {
      if (result.result !== 'failed') return
      const { code, message } = result.error
      screen?.write(`${clear}${visible(`${result.input}: ${message}`)} [${code}]\n`)
      shownAt = -Infinity
    },
    [Symbol.dispose]() {
      if (isTerminal) screen.write(clear)
    },
  }
}

/** Work done a second, of each kind, while that kind was worked on. */
interface Rates {
  note(progress: Progress): void
  /** Of the kind that is worked on now, pictures or frames a second; 0 while nothing is known. */
  perSecond(progress: Progress): number
  /** Undefined while nothing is known. */
  secondsLeft(progress: Progress): number | undefined
}

function createRates(now: () => number): Rates {
  const seconds = { still: 0, video: 0 }
  let last: { readonly at: number; readonly kind: Progress['kind'] } | undefined
  const rate = ({ stills, frames }: Progress, kind: Progress['kind']): number =>
    seconds[kind] > 0 ? (kind === 'still' ? stills : frames).done / seconds[kind] : 0
  return {
    note({ kind }) {
      const at = now()
      if (last) seconds[last.kind] += (at - last.at) / 1000
      last = { at, kind }
    },
    perSecond: (progress) => rate(progress, progress.kind),
    secondsLeft(progress) {
      const { stills, frames } = progress
      // Of what was not met yet, the other kind's rate is the best guess.
      const ofStills = rate(progress, 'still') || rate(progress, 'video')
      const ofFrames = rate(progress, 'video') || ofStills
      if (ofFrames === 0) return undefined
      return (stills.all - stills.done) / ofStills + (frames.all - frames.done) / ofFrames
    },
  }
}

function lineOf(progress: Progress, rates: Rates, columns: number): string {
  const { stills, frames, number, count } = progress
  const input = visible(progress.input)
  const share = (stills.done + frames.done) / Math.max(1, stills.all + frames.all)
  const filled = Math.round(share * BAR_CELLS)
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`
  const left = rates.secondsLeft(progress)
  const facts = [
    `${bar} ${String(Math.floor(100 * share)).padStart(3)} %`,
    `${rates.perSecond(progress).toFixed(1)} frames/s`,
    ...(left === undefined ? [] : [`${timeText(left)} left`]),
    `${number}/${count}`,
  ].join('  ')
  const name = Math.max(0, columns - facts.length - 2)
  return `${facts}  ${input.length > name ? `…${input.slice(input.length - name + 1)}` : input}`.slice(
    0,
    columns,
  )
}

/** `0:07`, `12:34`, `3:02:01`. */
function timeText(seconds: number): string {
  const all = Math.ceil(seconds)
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = Math.floor(all / 3600)
  const minutes = Math.floor(all / 60) % 60
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(all % 60)}`
}
