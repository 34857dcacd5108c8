import type { EpochMs } from '../domain/frame.ts'
import type { Box } from '../domain/geometry.ts'
import type { PathPoint } from '../domain/track.ts'
import { RoadveilError } from '../errors.ts'
import { type PlateTextNetwork, readPlate } from '../plates/read.ts'
import type { PlateReading } from '../plates/vote.ts'
import type { Findings, FoundRegion } from '../privacy/findings.ts'
import { pathBoxAt } from '../privacy/offender.ts'
import { type FramePlan, planRegions } from '../privacy/plan.ts'
import { looksAt, looksAtChange } from '../privacy/looks.ts'
import { type Detectors, searchFrame } from '../privacy/search.ts'
import { type ShotWatch, openShotWatch, pathInOneShot } from '../privacy/shots.ts'
import type { Footage } from './footage.ts'
import { type SampledFrame, createSampler } from './samples.ts'

/** The networks that evidence needs. */
export interface EvidenceDeps {
  readonly detectors: Detectors
  readonly plateText: PlateTextNetwork
}

/** One frame that was searched: what to hide in it, and what was read on the offender's plate. */
export interface CheckedFrame {
  readonly capturedAt: number
  readonly plan: FramePlan
  readonly reading?: PlateReading
}

/** Fewer than this share of the frames that a span should have is no evidence. */
const MIN_FRAME_SHARE = 0.5

/** What was found in continuous footage. */
interface Checked {
  readonly findings: readonly Findings[]
  readonly readings: ReadonlyMap<FoundRegion, PlateReading>
}

/** A piece of footage after its search, before its plan. */
export interface SearchedFootage extends Checked {
  /** A few of its frames, for a rehearsal of the redaction. */
  readonly samples: readonly SampledFrame[]
}

export interface SearchOptions {
  /** The offender's, as far as it is known. */
  readonly path: readonly PathPoint[]
  /** Of the footage. */
  readonly fps: number
  /** Of which there will be stills. */
  readonly moments?: readonly EpochMs[]
  /** Of the footage that this one continues, if it does. */
  readonly watch?: ShotWatch
}

/**
 * Searches every frame of a piece of footage, and reads the plates that may be the offender's.
 *
 * @throws RoadveilError ERR_REDACTION_UNCHECKED when a frame could not be searched, ERR_EVIDENCE_INCOMPLETE when too many
 *   are missing
 */
export async function searchFootage(
  footage: Footage,
  { path, fps, moments = [], watch = openShotWatch() }: SearchOptions,
  deps: EvidenceDeps,
  signal: AbortSignal,
): Promise<SearchedFootage> {
  const findings: Findings[] = []
  const readings = new Map<FoundRegion, PlateReading>()
  const expected = Math.floor(((footage.span.to - footage.span.from) / 1000) * fps)
  const sampler = createSampler(expected, fps, moments)
  for await (const { frame, change, isLast } of watch.place(footage.frames(signal))) {
    const offender = pathBoxAt(path, frame.capturedAt)
    const looks = looksAtChange({ change, isLast }) ?? looksAt(findings.length, fps)
    const found = await searchFrame(frame, deps.detectors, looks, offender)
    sampler.take(frame)
    findings.push(change === 'cut' ? { ...found, afterCut: true } : found)
    if (!offender) continue
    for (const plate of found.plates) {
      if (!isOn(offender, plate.box)) continue
      const reading = await readPlate(frame, plate.box, deps.plateText)
      if (reading) readings.set(plate, reading)
    }
  }
  if (findings.length < expected * MIN_FRAME_SHARE) {
    const counts = `${findings.length} of ${expected}`
    throw new RoadveilError('ERR_EVIDENCE_INCOMPLETE', `only ${counts} frames could be decoded`)
  }
  return { findings, readings, samples: sampler.samples() }
}

/**
 * Plans all frames of continuous footage together: what is found in one is followed into its neighbours.
 *
 * @param path the offender's, to the end of the footage
 */
export function planFootage(
  { findings, readings }: Checked,
  path: readonly PathPoint[],
  maskOccupants: boolean,
): CheckedFrame[] {
  const plans = planRegions(findings, pathInOneShot(path, findings), { maskOccupants })
  return findings.map(({ capturedAt }, index) => {
    const plan = plans[index]
    if (!plan) throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'a frame has no redaction plan')
    const reading = plan.offenderPlate && readings.get(plan.offenderPlate)
    return { capturedAt, plan, ...(reading ? { reading } : {}) }
  })
}

/** Two pieces of which the second continues the first. */
export function joinSearched(first: Checked, second: Checked): Checked {
  return {
    findings: [...first.findings, ...second.findings],
    readings: new Map([...first.readings, ...second.readings]),
  }
}

/** Whether a plate may belong to the vehicle, so that reading it is worth the time. */
function isOn(vehicle: Box, plate: Box): boolean {
  const x = plate.x + plate.w / 2
  const y = plate.y + plate.h / 2
  return x > vehicle.x && x < vehicle.x + vehicle.w && y > vehicle.y && y < vehicle.y + vehicle.h
}
