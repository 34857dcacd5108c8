import { openPlateTextNetwork } from '../../src/detection/plate-text.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { rawFrame } from '../../src/domain/frame.ts'
import { decode, readPlate } from '../../src/plates/read.ts'
import {
  type Channel,
  type Patch,
  type Picture,
  type Quad,
  deconvolve,
  meanOf,
  resize,
  sharpen,
  straightenChannel,
  stretch,
} from './attack-images.ts'
import { FIRST_HALF, SECOND_HALF, type Target } from './attack-scene.ts'
import { boxOf } from './attack-views.ts'
import { chanceOf } from './chance.ts'

const network = await openPlateTextNetwork(await loadModelSource())

/** What an attacker does to a straightened plate before reading it. */
const TRICKS: Readonly<
  Record<string, { readonly channel: Channel; readonly apply: (patch: Patch) => Patch }>
> = {
  'as it is': { channel: 'luma', apply: (patch) => patch },
  stretched: { channel: 'luma', apply: stretch },
  sharpened: { channel: 'luma', apply: (patch) => stretch(sharpen(patch, 2, 3)) },
  'deconvolved a little': { channel: 'luma', apply: (patch) => stretch(deconvolve(patch, 2)) },
  'deconvolved much': { channel: 'luma', apply: (patch) => stretch(deconvolve(patch, 4)) },
  blueness: { channel: 'blueness', apply: stretch },
  redness: { channel: 'redness', apply: stretch },
}
/** Also on single frames, one of each half of the time; the others on the mean of all. */
const SINGLE_TRICKS = ['stretched', 'deconvolved a little']
export const SINGLES = [FIRST_HALF[1], SECOND_HALF[1]]
const MARGIN = 0.06
/** About as many pixels as a plate has in the picture. */
const STRAIGHT = { width: 112, height: 28 }

/** One reading of every plate. */
export interface Attack {
  readonly name: string
  /** The attacker's text of each plate, and every single text that led to it. */
  readonly texts: readonly { readonly best: string; readonly all: readonly string[] }[]
}

/**
 * Reads plates in every way that there is.
 *
 * @param indexes of the pictures that the product's reader is tried on one by one
 */
export async function attackPlates(
  plates: readonly Target[],
  pictures: readonly Picture[],
  indexes: readonly number[],
): Promise<Attack[]> {
  const attacks: Attack[] = [await readAsTheyAre(plates, pictures, indexes)]
  for (const [name, { channel, apply }] of Object.entries(TRICKS)) {
    const straight = (indexes: readonly number[]): Patch[][] =>
      plates.map(({ places }) =>
        indexes.flatMap((i) => {
          const [place, picture] = [places[i], pictures[i]]
          return place && picture
            ? [straightenChannel(picture, widened(place), STRAIGHT.width, STRAIGHT.height, channel)]
            : []
        }),
      )
    const means = straight([...pictures.keys()]).map((all) => [apply(meanOf(all))])
    attacks.push(await readAll(`the mean, ${name}`, means))
    if (!SINGLE_TRICKS.includes(name)) continue
    const singles = straight(SINGLES).map((all) => all.map(apply))
    attacks.push(await readAll(`frames, ${name}`, singles))
  }
  return attacks
}

/** The reader of the product, on what it would cut out itself. */
async function readAsTheyAre(
  plates: readonly Target[],
  pictures: readonly Picture[],
  indexes: readonly number[],
): Promise<Attack> {
  const texts = []
  for (const { places } of plates) {
    const readings = []
    for (const i of indexes) {
      const [place, picture] = [places[i], pictures[i]]
      if (!place || !picture) continue
      const frame = rawFrame({ cameraId: '', sequence: i, capturedAt: i, ...picture })
      const reading = await readPlate(frame, boxOf(place, picture), network)
      if (reading) readings.push(reading)
    }
    const surest = readings.toSorted((a, b) => b.confidence - a.confidence)[0]?.text ?? ''
    texts.push({ best: surest, all: readings.map(({ text }) => text) })
  }
  return { name: 'frames, read as they are', texts }
}

/** Reads several pictures of each plate; the best text is what all of them say together. */
async function readAll(name: string, pictures: readonly (readonly Patch[])[]): Promise<Attack> {
  const bytes = Buffer.concat(
    pictures.flat().map((patch) => greyBytes(resize(patch, network.width, network.height))),
  )
  const probabilities = await network.run(bytes, pictures.flat().length)
  const size = network.slots * network.alphabet.length
  let first = 0
  const texts = pictures.map((ofPlate) => {
    const each = ofPlate.map(() => probabilities.subarray(first++ * size, first * size))
    const together = new Float32Array(size).map((_, i) => each.reduce((sum, one) => sum + (one[i] ?? 0), 0))
    return { best: decode(together, network).text, all: each.map((one) => decode(one, network).text) }
  })
  return { name, texts }
}

function greyBytes({ values }: Patch): Uint8Array {
  const bytes = new Uint8Array(3 * values.length)
  values.forEach((value, i) => bytes.fill(Math.min(255, Math.max(0, Math.round(value))), 3 * i, 3 * i + 3))
  return bytes
}

/** A little of what is around a plate, as the reader is used to. */
function widened([a, b, c, d]: Quad): Quad {
  const push = (from: { x: number; y: number }, to: { x: number; y: number }): { x: number; y: number } => ({
    x: from.x + (from.x - to.x) * MARGIN,
    y: from.y + (from.y - to.y) * MARGIN,
  })
  return [push(a, c), push(b, d), push(c, a), push(d, b)]
}

export interface Score {
  /** Characters that are right in their place, of all. */
  readonly right: number
  readonly all: number
  /** The share of right characters when texts are compared with those of the other plates. */
  readonly chance: number
  /** Whole texts that were read right, by whatever frame. */
  readonly exact: number
}

export function score({ texts }: Attack, plates: readonly Target[]): Score {
  const same = (text: string, truth: string): number =>
    truth.split('').filter((letter, i) => text[i] === letter).length
  const all = plates.reduce((sum, { text }) => sum + text.length, 0)
  let [right, others, exact] = [0, 0, 0]
  texts.forEach(({ best, all: every }, i) => {
    plates.forEach(({ text }, j) => {
      if (i === j) right += same(best, text)
      else others += same(best, text)
    })
    exact += every.filter((text) => text === plates[i]?.text).length
  })
  return { right, all, chance: others / (all * (plates.length - 1)), exact }
}

/** How likely a score is where nothing can be seen; never so rare that a single right letter would be proof. */
export function likelihood({ right, all, chance }: Score): number {
  return chanceOf(right, all, Math.max(chance, 1 / network.alphabet.length))
}
