import type { Point } from '../../src/domain/geometry.ts'

/** One channel of a small picture, row by row; values as in a picture, 0-255, but not rounded and not limited. */
export interface Patch {
  readonly width: number
  readonly height: number
  readonly values: Float32Array
}

/** Planar 8-bit pictures with green, blue and red, raw or redacted. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly planes: Uint8Array
}

/** Corners in pixels: top left, top right, bottom right, bottom left. */
export type Quad = readonly [Point, Point, Point, Point]

/** What a place shows in one channel, straightened. */
export type Channel = 'luma' | 'blueness' | 'redness'

/** Shares of green, blue and red. */
const WEIGHTS: Readonly<Record<Channel, readonly [number, number, number]>> = {
  luma: [0.587, 0.114, 0.299],
  blueness: [-0.331, 0.5, -0.169],
  redness: [-0.419, -0.081, 0.5],
}

/** The four-cornered part of a picture as a rectangle, interpolated between pixels; `weights` of green, blue and red. */
export function straighten(
  { width: pictureWidth, height: pictureHeight, planes }: Picture,
  [a, b, c, d]: Quad,
  width: number,
  height: number,
  [green, blue, red]: readonly [number, number, number],
): Patch {
  const values = new Float32Array(width * height)
  const size = pictureWidth * pictureHeight
  const at = (x: number, y: number): number => {
    const index = within(y, pictureHeight) * pictureWidth + within(x, pictureWidth)
    return (
      green * (planes[index] ?? 0) +
      blue * (planes[size + index] ?? 0) +
      red * (planes[2 * size + index] ?? 0)
    )
  }
  for (let row = 0; row < height; row++) {
    const v = (row + 0.5) / height
    for (let column = 0; column < width; column++) {
      const u = (column + 0.5) / width
      const x = (a.x * (1 - u) + b.x * u) * (1 - v) + (d.x * (1 - u) + c.x * u) * v - 0.5
      const y = (a.y * (1 - u) + b.y * u) * (1 - v) + (d.y * (1 - u) + c.y * u) * v - 0.5
      const [x0, y0] = [Math.floor(x), Math.floor(y)]
      const [fx, fy] = [x - x0, y - y0]
      values[row * width + column] =
        (at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx) * (1 - fy) +
        (at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx) * fy
    }
  }
  return { width, height, values }
}

export function straightenChannel(
  picture: Picture,
  quad: Quad,
  width: number,
  height: number,
  channel: Channel,
): Patch {
  return straighten(picture, quad, width, height, WEIGHTS[channel])
}

/** The patch in another size, interpolated. */
export function resize({ width, height, values }: Patch, newWidth: number, newHeight: number): Patch {
  const out = new Float32Array(newWidth * newHeight)
  for (let row = 0; row < newHeight; row++) {
    const y = ((row + 0.5) * height) / newHeight - 0.5
    const top = within(Math.floor(y), height - 1)
    const fy = Math.min(1, Math.max(0, y - top))
    for (let column = 0; column < newWidth; column++) {
      const x = ((column + 0.5) * width) / newWidth - 0.5
      const left = within(Math.floor(x), width - 1)
      const fx = Math.min(1, Math.max(0, x - left))
      const at = (down: number): number => {
        const index = (top + down) * width + left
        return (values[index] ?? 0) * (1 - fx) + (values[index + 1] ?? 0) * fx
      }
      out[row * newWidth + column] = at(0) * (1 - fy) + at(1) * fy
    }
  }
  return { width: newWidth, height: newHeight, values: out }
}

function within(value: number, size: number): number {
  return Math.min(size - 1, Math.max(0, value))
}

/** The mean of pictures of one size. */
export function meanOf(patches: readonly Patch[]): Patch {
  const [first] = patches
  if (!first) throw new RangeError('a mean of nothing')
  const values = new Float32Array(first.values.length)
  for (const patch of patches)
    patch.values.forEach((value, i) => (values[i] = (values[i] ?? 0) + value / patches.length))
  return { ...first, values }
}

/** Spread over all of 0-255, but for the outermost twentieths. */
export function stretch(patch: Patch): Patch {
  const sorted = patch.values.toSorted()
  const low = sorted[Math.floor(0.05 * sorted.length)] ?? 0
  const high = sorted[Math.floor(0.95 * sorted.length)] ?? 0
  const factor = 255 / Math.max(1e-3, high - low)
  return { ...patch, values: patch.values.map((value) => (value - low) * factor) }
}

/** Unsharp mask: what a blur takes away is added `amount` times more. */
export function sharpen(patch: Patch, sigma: number, amount: number): Patch {
  const { values } = blur(patch, sigma)
  return { ...patch, values: patch.values.map((value, i) => value + amount * (value - (values[i] ?? 0))) }
}

const ITERATIONS = 10

/** Richardson and Lucy's deconvolution, for a picture blurred by a Gaussian of `sigma` pixels of the patch. */
export function deconvolve(patch: Patch, sigma: number): Patch {
  const seen = patch.values.map((value) => Math.max(1, value))
  let guess: Patch = { ...patch, values: seen }
  for (let i = 0; i < ITERATIONS; i++) {
    const blurred = blur(guess, sigma).values
    const ratio = { ...patch, values: seen.map((value, at) => value / (blurred[at] ?? 1)) }
    const correction = blur(ratio, sigma).values
    guess = { ...patch, values: guess.values.map((value, at) => value * (correction[at] ?? 1)) }
  }
  return guess
}

/** Gaussian blur. */
export function blur({ width, height, values }: Patch, sigma: number): Patch {
  const reach = Math.ceil(2.5 * sigma)
  const weights = Float32Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)),
  )
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const along = (
    from: Float32Array,
    lines: number,
    lineStep: number,
    count: number,
    step: number,
  ): Float32Array => {
    const out = new Float32Array(from.length)
    for (let line = 0; line < lines; line++) {
      const start = line * lineStep
      for (let place = 0; place < count; place++) {
        let sum = 0
        for (let i = -reach; i <= reach; i++)
          sum += (weights[i + reach] ?? 0) * (from[start + within(place + i, count) * step] ?? 0)
        out[start + place * step] = sum / total
      }
    }
    return out
  }
  return { width, height, values: along(along(values, height, width, width, 1), width, 1, height, width) }
}

/** How far a picture is moved to fit another, as a share of its sides. */
const MOVES = [-0.06, 0, 0.06]

/** Zero-mean normalised correlation of two pictures of one size, the best over small moves of the first; 0 where one is flat. */
export function likeness(moved: Patch, still: Patch): number {
  let best = -1
  for (const down of MOVES) {
    for (const right of MOVES) {
      const value = correlation(
        moved,
        still,
        Math.round(right * still.width),
        Math.round(down * still.height),
      )
      best = Math.max(best, value)
    }
  }
  return best
}

function correlation(a: Patch, b: Patch, right: number, down: number): number {
  let [n, sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0, 0]
  for (let y = Math.max(0, -down); y < Math.min(b.height, b.height - down); y++) {
    for (let x = Math.max(0, -right); x < Math.min(b.width, b.width - right); x++) {
      const one = a.values[(y + down) * a.width + x + right] ?? 0
      const other = b.values[y * b.width + x] ?? 0
      n++
      sumA += one
      sumB += other
      sumAA += one * one
      sumBB += other * other
      sumAB += one * other
    }
  }
  const spread = (sumAA - (sumA * sumA) / n) * (sumBB - (sumB * sumB) / n)
  return spread < 1e-3 ? 0 : (sumAB - (sumA * sumB) / n) / Math.sqrt(spread)
}
