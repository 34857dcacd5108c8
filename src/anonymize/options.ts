import type { PixelBox } from '../domain/geometry.ts'
import { RoadveilError } from '../errors.ts'
import type { EvidenceDeps } from '../evidence/check.ts'
import type { Style } from '../privacy/redact.ts'

/** The one vehicle whose plate stays readable. */
export type KeptVehicle =
  /** Where it is, in pixels of the upright picture; in a video, of the first frame in which a vehicle is found there. */
  | { readonly box: PixelBox }
  /** Letters and digits of its plate, upper case. */
  | { readonly text: string }

export interface AnonymizeOptions {
  readonly style: Style
  /** Hides windscreens and windows of vehicles, whether a face was found behind them or not. */
  readonly maskOccupants: boolean
  readonly keptVehicle?: KeptVehicle
  /** Draws outlines and names of what was hidden over the redacted pictures. */
  readonly preview: boolean
}

/** What every picture is worked on with. */
export interface Tools {
  readonly networks: EvidenceDeps
  readonly options: AnonymizeOptions
}

const BOX = /^(\d+),(\d+),(\d+),(\d+)$/
const MIN_TEXT = 3

/**
 * Reads `x,y,width,height` in pixels, or the text of a plate.
 *
 * @throws RoadveilError ERR_USAGE
 */
export function parseKeptVehicle(value: string): KeptVehicle {
  const [x = 0, y = 0, w = 0, h = 0] = (BOX.exec(value)?.slice(1) ?? []).map(Number)
  if (w > 0 && h > 0) return { box: { x, y, w, h } }
  const text = plateText(value)
  if (text.length < MIN_TEXT || value.includes(',')) {
    throw new RoadveilError('ERR_USAGE', '--keep-plate-of must be x,y,width,height in pixels or a plate text')
  }
  return { text }
}

/** A plate's text as it is compared: the letters and digits alone. */
export function plateText(value: string): string {
  return value.toUpperCase().replace(/[^\p{L}\p{N}]/gu, '')
}
