import { existsSync } from 'node:fs'
import { anonymizeStill } from '../../src/anonymize/still.ts'
import { loadPublicModels } from '../../src/models/source.ts'
import type { Region } from '../../src/domain/evidence.ts'
import type { RawFrame } from '../../src/domain/frame.ts'
import { RoadveilError } from '../../src/errors.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'
import { type Contender, publicContenders, publicDirectory } from '../evaluate-models/contenders.ts'
import { inShares } from '../evaluation/raster.ts'
import type { Mask, Source } from './tally.ts'

/** A picture as a file and as what is in the file. */
export interface Still {
  readonly bytes: Uint8Array
  readonly frame: RawFrame
}

/** One way to hide what is in a picture that stands alone. */
export interface Hider {
  readonly name: string
  /** Undefined when the picture would not be given out at all. */
  hide(still: Still): Promise<readonly Mask[] | undefined>
}

/** The name of the product among hiders. */
export const PRODUCT = 'roadveil'

/** `roadveil anonymize`, with decoding, encoding and verification. */
export function productHider(networks: EvidenceDeps): Hider {
  const options = { style: 'solid', maskOccupants: true, preview: false } as const
  return {
    name: PRODUCT,
    async hide({ bytes, frame }) {
      try {
        const { record, width, height } = await anonymizeStill(bytes, { networks, options })
        if (width !== frame.width || height !== frame.height)
          throw new RangeError('labels must be of the upright picture')
        return record.regions.map(({ class: kind, box: { x, y, width: w, height: h }, why }) => ({
          box: inShares({ x, y, w, h }, frame),
          source: sourceOf(kind, why),
        }))
      } catch (error) {
        if (error instanceof RoadveilError) return undefined
        throw error
      }
    },
  }
}

/** Why the product hid a region. */
export function sourceOf(kind: Region['kind'], why: Region['source']): Source {
  if (kind === 'windscreen') return 'windscreen'
  return why === 'inferred' ? 'inferred' : 'found'
}

/** The public networks as they are usually run, together; undefined where they are not installed. */
export async function plainHider(): Promise<Hider | undefined> {
  const directory = publicDirectory()
  if (!existsSync(directory)) return undefined
  return together(await publicContenders(await loadPublicModels(directory)))
}

function together(contenders: readonly Contender[]): Hider {
  return {
    name: contenders.map(({ name }) => name).join(' + '),
    async hide({ frame }) {
      const masks: Mask[] = []
      for (const contender of contenders) {
        for (const kind of contender.kinds)
          for (const box of await contender.masks(frame, kind)) masks.push({ box, source: 'found' })
      }
      return masks
    },
  }
}
