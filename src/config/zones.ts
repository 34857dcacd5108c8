import { distance, type Point } from '../domain/geometry.ts'

/** Less than a hundredth of the picture's width and height is a slip of the hand, not a zone. */
const MIN_AREA = 1e-4
const MIN_LENGTH = 0.01

/** Why these corners make no zone, or undefined when they do. */
export function polygonFault(corners: readonly Point[]): string | undefined {
  for (let i = 0; i < corners.length; i++) {
    for (let j = i + 1; j < corners.length; j++) {
      const a = corners[i]
      const b = corners[j]
      if (a && b && distance(a, b) < 1e-9) return `has the same corner twice (${i + 1} and ${j + 1})`
    }
  }
  const crossed = crossing(corners)
  if (crossed)
    return `crosses itself (sides ${crossed[0] + 1} and ${crossed[1] + 1}); put the corners in order`
  return polygonArea(corners) < MIN_AREA ? 'encloses no area' : undefined
}

/** Why these two points make no line, or undefined when they do. */
export function lineFault(from: Point, to: Point): string | undefined {
  return distance(from, to) < MIN_LENGTH ? 'is too short: its points must be at least 0.01 apart' : undefined
}

/** Shoelace formula. */
function polygonArea(corners: readonly Point[]): number {
  let twice = 0
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % corners.length]
    if (b) twice += a.x * b.y - b.x * a.y
  })
  return Math.abs(twice) / 2
}

/** The first two sides that meet anywhere but at a common corner. */
function crossing(corners: readonly Point[]): [number, number] | undefined {
  const n = corners.length
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const a = corners[i]
      const b = corners[(i + 1) % n]
      const c = corners[j]
      const d = corners[(j + 1) % n]
      if (!a || !b || !c || !d) continue
      if (j === i + 1 ? foldsBack(a, b, d) : (j + 1) % n === i ? foldsBack(c, a, b) : meet(a, b, c, d))
        return [i, j]
    }
  }
  return undefined
}

/** Positive when a, b, c turn one way, negative when they turn the other, 0 on one line. */
function turn(a: Point, b: Point, c: Point): number {
  const cross = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
  return Math.abs(cross) < 1e-12 ? 0 : cross
}

/** True when the side b-c lies back along a-b. */
function foldsBack(a: Point, b: Point, c: Point): boolean {
  return turn(a, b, c) === 0 && (a.x - b.x) * (c.x - b.x) + (a.y - b.y) * (c.y - b.y) > 0
}

function meet(a: Point, b: Point, c: Point, d: Point): boolean {
  const [abc, abd, cda, cdb] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)]
  if (abc * abd < 0 && cda * cdb < 0) return true
  return (
    (abc === 0 && within(a, b, c)) ||
    (abd === 0 && within(a, b, d)) ||
    (cda === 0 && within(c, d, a)) ||
    (cdb === 0 && within(c, d, b))
  )
}

/** True when p, known to be on the line through a and b, lies between them. */
function within(a: Point, b: Point, p: Point): boolean {
  return (
    Math.min(a.x, b.x) <= p.x &&
    p.x <= Math.max(a.x, b.x) &&
    Math.min(a.y, b.y) <= p.y &&
    p.y <= Math.max(a.y, b.y)
  )
}
