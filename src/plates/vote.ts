import type { EpochMs } from '../domain/frame.ts'

/** What was read on the plate in one frame. */
export interface PlateReading {
  readonly sequence: number
  readonly capturedAt: EpochMs
  readonly text: string
  /** 0-1. */
  readonly confidence: number
}

/** The plate's text by vote, or none where the vote was not sure enough. */
export interface PlateVote {
  readonly text: string | null
  /** 0-1; of the winning text, whether it was given or not. */
  readonly confidence: number
  /** The surest reading of the winning text: the plate crop comes from its frame. */
  readonly best?: PlateReading
}

/** One frame alone never decides. */
const MIN_AGREEING_FRAMES = 2

/** Shorter or longer is no registration anywhere. */
const MIN_LENGTH = 3
const MAX_LENGTH = 9

/**
 * Votes over the frames of one track. Each reading counts with the cube of its confidence, so that a few sharp frames
 * outweigh many blurred ones. The confidence of the vote is the winner's share of all weight times the confidence of its
 * best reading: readings that contradict each other lower it as much as unsure ones.
 */
export function voteText(readings: readonly PlateReading[], minConfidence: number): PlateVote {
  const weights = new Map<string, { weight: number; count: number; best: PlateReading }>()
  let all = 0
  for (const reading of readings) {
    if (reading.text.length < MIN_LENGTH || reading.text.length > MAX_LENGTH) continue
    const weight = reading.confidence ** 3
    all += weight
    const entry = weights.get(reading.text)
    if (!entry) weights.set(reading.text, { weight, count: 1, best: reading })
    else {
      entry.weight += weight
      entry.count++
      if (reading.confidence > entry.best.confidence) entry.best = reading
    }
  }
  const winner = [...weights.values()].sort((a, b) => b.weight - a.weight)[0]
  if (!winner || all === 0) return { text: null, confidence: 0 }
  const confidence = (winner.weight / all) * winner.best.confidence
  const sure = confidence >= minConfidence && winner.count >= MIN_AGREEING_FRAMES
  return { text: sure ? winner.best.text : null, confidence, best: winner.best }
}
