import type { PathPoint } from '../domain/track.ts'
import { RoadveilError } from '../errors.ts'
import type { Leaks } from '../evidence/verify.ts'
import { type FramePlan, type PlanOptions, planRegions } from '../privacy/plan.ts'
import { planBetween } from './between.ts'
import { repairSearch } from './leaks.ts'
import type { SeenFrame } from './search-video.ts'

/** What is hidden in one frame of a video. */
export interface PlannedFrame {
  readonly seen: SeenFrame
  readonly plan: FramePlan
}

/** Searched frames that are planned at once: half a minute. */
const WINDOW = 300
/** Searched frames on each side that are known when it is planned: longer than anything unseen is followed. */
const OVERLAP = 60

/** Hiding what one rehearsal found changes what the next one finds, for once or twice. */
const REHEARSALS = 3

/**
 * Tells what would still be found in frames that were planned, by their numbers. Frames that were planned only to know what comes after
 * those before them are given again, with their final plan, in the next call.
 */
export type Rehearsal = (planned: readonly PlannedFrame[]) => Promise<Leaks>

/**
 * Plans a video as it is searched, in windows that overlap, so that a video of any length takes the same memory. Within its
 * reach everything is followed forwards and backwards in time.
 *
 * @param frames in order; the first and the last one searched
 * @param path of the vehicle whose plate is kept, as far as it is known by then
 * @param rehearse what it finds is planned and followed like everything else
 * @throws RoadveilError ERR_REDACTION_UNCHECKED
 */
export async function* planWindows(
  frames: AsyncIterable<SeenFrame>,
  path: readonly PathPoint[],
  options: PlanOptions,
  rehearse?: Rehearsal,
): AsyncGenerator<PlannedFrame, void, undefined> {
  /** Planned already, and still needed to plan what follows. */
  let past: SeenFrame[] = []
  let ahead: SeenFrame[] = []
  let searchedAhead = 0

  const plan = async (isLast: boolean): Promise<PlannedFrame[]> => {
    const searchedOf = (): SeenFrame[] => [...past, ...ahead].filter(({ findings }) => findings)
    let searched = searchedOf()
    let plans = plansOf(searched, path, options)
    for (let round = 0; rehearse && round < REHEARSALS; round++) {
      const leaks = await rehearse(planAll(ahead, plans, undefined))
      if (leaks.size === 0) break
      ahead = await Array.fromAsync(repairSearch(ahead, leaks))
      searched = searchedOf()
      plans = plansOf(searched, path, options)
    }
    // Up to the first searched frame of the next window; what lies before it is between two plans of this one.
    const next = isLast ? undefined : searched[past.length + WINDOW]
    const cut = next ? ahead.indexOf(next) : ahead.length
    const done = ahead.slice(0, cut)
    past = searched.slice(0, next ? past.length + WINDOW : searched.length).slice(-OVERLAP)
    ahead = ahead.slice(cut)
    searchedAhead = ahead.filter(({ findings }) => findings).length
    return planAll(done, plans, next)
  }

  for await (const frame of frames) {
    ahead.push(frame)
    if (frame.findings) searchedAhead++
    if (searchedAhead > WINDOW + OVERLAP) yield* await plan(false)
  }
  if (ahead.length > 0) yield* await plan(true)
}

function plansOf(
  searched: readonly SeenFrame[],
  path: readonly PathPoint[],
  options: PlanOptions,
): ReadonlyMap<number, FramePlan> {
  const from = (searched[0]?.capturedAt ?? 0) - 1_000
  const to = (searched.at(-1)?.capturedAt ?? 0) + 1_000
  const near = path.filter(({ capturedAt }) => capturedAt >= from && capturedAt <= to)
  const plans = planRegions(
    searched.flatMap(({ findings }) => findings ?? []),
    near,
    options,
  )
  return new Map(
    searched.flatMap(({ number }, i) => {
      const plan = plans[i]
      return plan ? [[number, plan] as const] : []
    }),
  )
}

function planAll(
  frames: readonly SeenFrame[],
  plans: ReadonlyMap<number, FramePlan>,
  next: SeenFrame | undefined,
): PlannedFrame[] {
  let before: FramePlan | undefined
  return frames.map((seen, i) => {
    const own = plans.get(seen.number)
    if (own) {
      before = own
      return { seen, plan: own }
    }
    const following = frames.slice(i).find(({ number }) => plans.has(number)) ?? next
    const after = following && plans.get(following.number)
    if (!before || !after) throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame has no redaction plan')
    return { seen, plan: planBetween(before, after) }
  })
}
