import type { TrueObject } from '../evaluation/images.ts'
import type { Thumbnail } from './thumbnail.ts'
import { type Tally, type TrackTally, emptyTally } from './tally.ts'

/** An object that a hider left open. */
export interface Leak extends TrueObject {
  readonly hider: string
  /** Share of it that is hidden all the same, 0-1. */
  readonly covered: number
  /** The file, and in a clip the time. */
  readonly where: string
  /** Only where a report is wanted: it shows what should be hidden. */
  readonly thumbnail?: Thumbnail
}

/** What several hiders made of the same pictures. */
export interface Result {
  readonly title: string
  /** By name, in the order in which they are to be shown. */
  readonly tallies: ReadonlyMap<string, Tally>
  /** Of clips only, by name and object. */
  readonly tracks?: ReadonlyMap<string, ReadonlyMap<string, TrackTally>>
  readonly leaks: readonly Leak[]
}

export interface Wanted {
  /** Pictures or frames, spread evenly over all there are. */
  readonly limit: number
  readonly thumbnails: boolean
}

export function emptyTallies(names: readonly string[]): Map<string, Tally> {
  return new Map(names.map((name) => [name, emptyTally()]))
}
