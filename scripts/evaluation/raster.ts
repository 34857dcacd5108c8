import type { Box, PixelBox } from '../../src/domain/geometry.ts'

/** What lies over each pixel of a picture: 0 for nothing. */
export interface Raster {
  readonly width: number
  readonly height: number
  readonly values: Uint8Array
}

export function emptyRaster({ width, height }: { readonly width: number; readonly height: number }): Raster {
  return { width, height, values: new Uint8Array(width * height) }
}

/** Gives every pixel that a box touches a value, as redaction would hide it. The box is in 0-1 of the picture. */
export function paint({ width, height, values }: Raster, box: Box, value = 1): void {
  const left = Math.max(0, Math.floor(box.x * width))
  const right = Math.min(width, Math.ceil((box.x + box.w) * width))
  const bottom = Math.min(height, Math.ceil((box.y + box.h) * height))
  for (let y = Math.max(0, Math.floor(box.y * height)); y < bottom; y++) {
    if (right > left) values.fill(value, y * width + left, y * width + right)
  }
}

/** The share of a box that something lies over, 0-1; 1 where the box has no pixel in the picture. */
export function coveredShare({ width, height, values }: Raster, { x, y, w, h }: PixelBox): number {
  const right = Math.min(width, Math.max(Math.round(x + w), Math.round(x) + 1))
  const bottom = Math.min(height, Math.max(Math.round(y + h), Math.round(y) + 1))
  let covered = 0
  let all = 0
  for (let row = Math.max(0, Math.round(y)); row < bottom; row++) {
    for (let column = Math.max(0, Math.round(x)); column < right; column++) {
      all++
      if (values[row * width + column] !== 0) covered++
    }
  }
  return all === 0 ? 1 : covered / all
}

/** A box in pixels of a picture, in 0-1 of it. */
export function inShares(
  { x, y, w, h }: PixelBox,
  { width, height }: { readonly width: number; readonly height: number },
): Box {
  return { x: x / width, y: y / height, w: w / width, h: h / height }
}
