import type { RawFrame } from '../domain/frame.ts'
import { type Box, grow } from '../domain/geometry.ts'
import type { PlateReading } from './vote.ts'

/** The plate text network, as detection/ makes it. */
export interface PlateTextNetwork {
  /** Letters by index; `padding` fills unused places at the end. */
  readonly alphabet: string
  readonly padding: string
  readonly slots: number
  readonly width: number
  readonly height: number
  /** `count` pictures of height x width x RGB in, `count * slots * alphabet.length` probabilities out. */
  run(pictures: Uint8Array, count: number): Promise<Float32Array>
}

/** Below this many pixels of height the letters are guesses. */
const MIN_PLATE_PIXELS = 10

/** The network was trained on crops with a little of the surroundings. */
const CROP_GROWTH = 0.06

/** Reads one plate in one frame, or gives undefined where it is too small to read. */
export async function readPlate(
  frame: RawFrame,
  plate: Box,
  network: PlateTextNetwork,
): Promise<PlateReading | undefined> {
  if (plate.h * frame.height < MIN_PLATE_PIXELS) return undefined
  const picture = cutRgb(frame, grow(plate, CROP_GROWTH), network.width, network.height)
  const { text, confidence } = decode(await network.run(picture, 1), network)
  return { sequence: frame.sequence, capturedAt: frame.capturedAt, text, confidence }
}

/**
 * Text and confidence from the network's probabilities. Confidence is that of the least sure letter: one wrong letter
 * makes the whole text wrong. The end of the text is a letter too.
 */
export function decode(
  probabilities: Float32Array,
  { alphabet, padding, slots }: Pick<PlateTextNetwork, 'alphabet' | 'padding' | 'slots'>,
): { text: string; confidence: number } {
  let text = ''
  let confidence = 1
  for (let slot = 0; slot < slots; slot++) {
    let best = 0
    let letter = 0
    for (let i = 0; i < alphabet.length; i++) {
      const p = probabilities[slot * alphabet.length + i] ?? 0
      if (p > best) {
        best = p
        letter = i
      }
    }
    confidence = Math.min(confidence, best)
    const character = alphabet.charAt(letter)
    if (character === padding) break
    text += character
  }
  return { text, confidence: Math.max(0, Math.min(1, confidence)) }
}

/** Cuts a box out of planar GBR pixels, scaled bilinearly to interleaved RGB. */
function cutRgb(frame: RawFrame, box: Box, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height * 3)
  const size = frame.width * frame.height
  const planes = [2 * size, 0, size] // R, G, B in gbrp
  for (let y = 0; y < height; y++) {
    const sy = clampTo((box.y + (box.h * (y + 0.5)) / height) * frame.height - 0.5, frame.height - 1)
    const y0 = Math.floor(sy)
    const y1 = Math.min(frame.height - 1, y0 + 1)
    for (let x = 0; x < width; x++) {
      const sx = clampTo((box.x + (box.w * (x + 0.5)) / width) * frame.width - 0.5, frame.width - 1)
      const x0 = Math.floor(sx)
      const x1 = Math.min(frame.width - 1, x0 + 1)
      for (let channel = 0; channel < 3; channel++) {
        const at = (row: number, column: number): number =>
          frame.planes[(planes[channel] ?? 0) + row * frame.width + column] ?? 0
        const top = at(y0, x0) + (at(y0, x1) - at(y0, x0)) * (sx - x0)
        const bottom = at(y1, x0) + (at(y1, x1) - at(y1, x0)) * (sx - x0)
        out[(y * width + x) * 3 + channel] = Math.round(top + (bottom - top) * (sy - y0))
      }
    }
  }
  return out
}

function clampTo(value: number, max: number): number {
  return Math.min(max, Math.max(0, value))
}
