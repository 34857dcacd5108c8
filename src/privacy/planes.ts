/** Red, green and blue, 0-255. */
export type Colour = readonly [number, number, number]

/** One plane of a picture that is drawn on. */
export interface Plane {
  /** `width * height` of them, row by row. */
  readonly values: Uint8Array
  readonly width: number
  readonly height: number
  /** Pixels of the picture across one value: 2 where eyes see less, in the colours of video. */
  readonly step: 1 | 2
  /** Whether more of it is brighter, or only of another colour. */
  readonly isLight: boolean
  /** What a colour is in this plane. */
  readonly valueOf: (colour: Colour) => number
}

/** The planes of a picture: G, B and R of `width * height` values each. */
export function rgbPlanes(all: Uint8Array, width: number, height: number): readonly Plane[] {
  const size = width * height
  return [1, 2, 0].map((channel, i) => ({
    ...{ values: all.subarray(i * size, (i + 1) * size), width, height, step: 1, isLight: true },
    valueOf: (colour) => colour[channel] ?? 0,
  }))
}

/** The planes of a frame of a video: Y, then U and V of half the width and height. */
export function videoPlanes(all: Uint8Array, width: number, height: number): readonly Plane[] {
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) }
  const [size, part] = [width * height, half.width * half.height]
  // BT.709, limited range: other matrices give a colour that is hardly another.
  const colours = (at: number, [r, g, b]: Colour): Plane => ({
    ...{ values: all.subarray(at, at + part), ...half, step: 2, isLight: false },
    valueOf: ([red, green, blue]) => Math.round(128 + r * red + g * green + b * blue),
  })
  return [
    {
      ...{ values: all.subarray(0, size), width, height, step: 1, isLight: true },
      valueOf: ([red, green, blue]) => Math.round(16 + 0.1826 * red + 0.6142 * green + 0.062 * blue),
    },
    colours(size, [-0.1006, -0.3386, 0.4392]),
    colours(size + part, [0.4392, -0.3989, -0.0403]),
  ]
}
