/** How often something came out right. */
export interface Tally {
  right: number
  all: number
}

/** Something that was visible in a frame and should not have been, or was hidden without need. */
export interface Leak {
  /** As the ground truth calls it, for example `person-1/face`. */
  readonly id: string
  readonly seconds: number
  /** Height of the thing in the picture. */
  readonly heightPx: number
}

/** What the installed networks and rules made of the built-in clip. */
export interface SelftestFigures {
  /** Violations that were judged, and whether the one true one was among them and no other. */
  readonly violations: number
  readonly rightVehicle: boolean
  /** Whether the offender's plate was read as it is. */
  readonly plateRead: boolean
  /** Vehicles and persons of 20 pixels and more in analysis frames that were found. */
  readonly vehicles: Tally
  readonly persons: Tally
  /** Faces and bystanders' plates in evidence frames that were hidden. */
  readonly faces: Tally
  readonly plates: Tally
  /** Frames in which the offender's plate could be read and stayed so. */
  readonly offenderPlate: Tally
  readonly leaks: readonly Leak[]
  /** Mean share of the picture that was hidden, 0-1. */
  readonly hiddenArea: number
}

/**
 * What this release reached on the built-in clip, a little rounded down since processors differ in the last digits:
 * networks that fall below must not decide about anybody. `roadveil selftest` prints the figures themselves.
 */
const RECORDED = {
  vehicles: 0.95,
  persons: 0.92,
  faces: 0.99,
  plates: 0.99,
  offenderPlate: 0.85,
  hiddenArea: 0.05,
}

/** Why the figures are not good enough to enforce on, in words; empty where they are. */
export function shortfalls(figures: SelftestFigures): string[] {
  const found: string[] = []
  if (figures.violations !== 1 || !figures.rightVehicle)
    found.push(`${figures.violations} violations were judged, and not just the one of the scene`)
  if (!figures.plateRead) found.push("the offender's plate was not read")
  for (const name of ['vehicles', 'persons', 'faces', 'plates', 'offenderPlate'] as const) {
    const share = shareOf(figures[name])
    if (share >= RECORDED[name]) continue
    found.push(`${NAMES[name]} ${percent(share)}, recorded ${percent(RECORDED[name])}`)
  }
  if (figures.hiddenArea > RECORDED.hiddenArea)
    found.push(
      `${percent(figures.hiddenArea)} of the picture hidden, recorded ${percent(RECORDED.hiddenArea)}`,
    )
  return found
}

const NAMES = {
  vehicles: 'vehicles found',
  persons: 'persons found',
  faces: 'faces hidden',
  plates: "bystanders' plates hidden",
  offenderPlate: "offender's plate readable",
} as const

/** 1 where there was nothing to do. */
export function shareOf({ right, all }: Tally): number {
  return all === 0 ? 1 : right / all
}

/** `97.5 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
