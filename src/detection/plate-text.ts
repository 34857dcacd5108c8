import { RoadveilError } from '../errors.ts'
import { findModel, requireStages, type ModelSource } from '../models/manifest.ts'
import { openSession } from './session.ts'

/** The network that reads plate pictures; what its numbers mean is the business of plates/. */
export interface PlateTextNetwork {
  /** Pixels of one plate picture. */
  readonly width: number
  /** Pixels of one plate picture. */
  readonly height: number
  /** Characters that a plate can have at most. */
  readonly slots: number
  /** The letters a slot can hold, in the order of the probabilities. */
  readonly alphabet: string
  /** The letter that fills unused slots at the end. */
  readonly padding: string
  /**
   * Reads `count` pictures, R, G, B interleaved, one after the other in `pictures`.
   *
   * @returns a probability for each picture, slot and letter of the alphabet
   * @throws ERR_DETECTION_FAILED
   */
  run(pictures: Uint8Array, count: number): Promise<Float32Array>
  close(): Promise<void>
}

/**
 * Loads the network of the role `plate-text`.
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openPlateTextNetwork(source: ModelSource): Promise<PlateTextNetwork> {
  const entry = findModel(source.manifest, 'plate-text')
  requireStages(entry, 'interleaved-bytes', 'slots')
  const [width, height, slots] = [128, 64, 9]
  const alphabet = entry.classes.join('')
  const session = await openSession(entry, source.directory)
  const outputName = entry.outputs[0]?.name ?? ''

  return {
    width,
    height,
    slots,
    alphabet,
    padding: '_',
    async run(pictures, count) {
      if (count < 1 || pictures.length !== count * width * height * 3) {
        throw new RoadveilError(
          'ERR_DETECTION_FAILED',
          `${pictures.length} bytes are not ${count} plate pictures`,
        )
      }
      const output = (await session.run([count, height, width, 3], () => pictures))[outputName]
      if (output?.length !== count * slots * alphabet.length) {
        throw new RoadveilError('ERR_DETECTION_FAILED', 'plate-text: the output is not one row a slot')
      }
      return output
    },
    close: () => session.close(),
  }
}
