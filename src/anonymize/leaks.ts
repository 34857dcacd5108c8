import type { Region } from '../domain/evidence.ts'
import { grow } from '../domain/geometry.ts'
import type { Leaks } from '../evidence/verify.ts'
import { type FoundRegion, withMore } from '../privacy/findings.ts'
import type { SeenFrame } from './search-video.ts'

/** Of what a second search finds the edges are less sure than of what two searches agree on. */
const MARGIN = 0.25

/** What hides a leak where it was found, whatever the plan makes of it. */
export function coverOf({ kind, box, score }: FoundRegion): Region {
  return { kind, box: grow(box, MARGIN), source: 'detected', score }
}

/** All leaks of two searches. */
export function joinLeaks(a: Leaks, b: Leaks): Leaks {
  return new Map(
    [...new Set([...a.keys(), ...b.keys()])].map((number) => [
      number,
      [...(a.get(number) ?? []), ...(b.get(number) ?? [])],
    ]),
  )
}

/** The same search as if it had found more. What was found between two searched frames counts for both. */
export async function* repairSearch(
  frames: AsyncIterable<SeenFrame> | Iterable<SeenFrame>,
  leaks: Leaks,
): AsyncGenerator<SeenFrame, void, undefined> {
  const repaired = (frame: SeenFrame, more: readonly FoundRegion[]): SeenFrame =>
    frame.findings && more.length > 0 ? { ...frame, findings: withMore(frame.findings, more) } : frame
  /** The last searched frame and those after it. */
  let held: SeenFrame[] = []
  for await (const frame of frames) {
    if (!frame.findings) {
      held.push(frame)
      continue
    }
    const [searched, ...rest] = held
    const between = rest.flatMap(({ number }) => leaks.get(number) ?? [])
    if (searched) yield repaired(searched, between)
    yield* rest
    held = [repaired(frame, [...between, ...(leaks.get(frame.number) ?? [])])]
  }
  yield* held
}
