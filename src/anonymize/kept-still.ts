import type { RawFrame } from '../domain/frame.ts'
import { type Box, area, centre, coverage } from '../domain/geometry.ts'
import type { PathPoint } from '../domain/track.ts'
import { readPlate } from '../plates/read.ts'
import type { Findings } from '../privacy/findings.ts'
import { type Tools, plateText } from './options.ts'

/** Below this a reading says nothing about whose plate it is, 0-1. */
export const MIN_READING = 0.5

/**
 * Where the vehicle is whose plate stays readable in a still, as a path of one point; empty where it is not found, or where more
 * than one could be it.
 */
export async function findKeptVehicle(
  frame: RawFrame,
  findings: Findings,
  { networks, options }: Tools,
): Promise<PathPoint[]> {
  const { keptVehicle } = options
  if (!keptVehicle) return []
  const at = (box: Box): PathPoint[] => [{ capturedAt: frame.capturedAt, box, seen: true }]
  if ('box' in keptVehicle) return at(shareOf(keptVehicle.box, frame))

  const vehicles: Box[] = []
  for (const plate of findings.plates) {
    const reading = await readPlate(frame, plate.box, networks.plateText)
    if (!reading || reading.confidence < MIN_READING || plateText(reading.text) !== keptVehicle.text) continue
    const vehicle = vehicleAround(
      plate.box,
      findings.objects.flatMap(({ class: kind, box }) => (kind === 'person' ? [] : [box])),
    )
    if (!vehicle) return []
    vehicles.push(vehicle)
  }
  const [only, second] = vehicles
  return only && !second ? at(only) : []
}

/** A box in pixels of a picture as shares of it. */
export function shareOf(box: Box, { width, height }: { width: number; height: number }): Box {
  return { x: box.x / width, y: box.y / height, w: box.w / width, h: box.h / height }
}

/** The smallest of the vehicles that a plate can belong to. */
export function vehicleAround(plate: Box, vehicles: readonly Box[]): Box | undefined {
  const point = { ...centre(plate), w: 1e-9, h: 1e-9 }
  return vehicles
    .filter((vehicle) => coverage(plate, vehicle) > 0.9 && coverage(point, vehicle) > 0)
    .sort((a, b) => area(a) - area(b))[0]
}
