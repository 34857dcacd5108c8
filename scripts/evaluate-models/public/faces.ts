import type { RawFrame } from '../../../src/domain/frame.ts'
import type { PixelBox } from '../../../src/domain/geometry.ts'
import { RoadveilError } from '../../../src/errors.ts'
import { findModel, requireStages, type ModelSource } from '../../../src/detection/manifest.ts'
import type { FoundRegion } from '../../../src/detection/region.ts'
import { sample } from '../../../src/detection/sample.ts'
import { openSession } from '../../../src/detection/session.ts'
import { suppress, type Proposal } from '../../../src/detection/suppression.ts'
import { decodeYunet, YUNET_STRIDES } from './yunet.ts'

const MAX_OVERLAP = 0.4
/** The network halves its input five times. */
const GRAIN = 32

/** Finds faces. */
export interface FaceDetector {
  /**
   * Faces in a part of a frame, looked at in `scale` times its size; the network finds faces of about 10 to 300 pixels
   * there. Takes about 60 ms a megapixel looked at, on one core.
   *
   * @throws ERR_DETECTION_FAILED
   */
  detect(frame: RawFrame, part: PixelBox, scale: number, minScore: number): Promise<FoundRegion[]>
  close(): Promise<void>
}

/**
 * Loads the network of the role `faces`.
 *
 * @throws ERR_MODEL_MISSING, ERR_MODEL_HASH, ERR_MODEL_SHAPE, ERR_MODEL_MANIFEST
 */
export async function openFaceDetector(source: ModelSource, threads: 1 | 2 = 1): Promise<FaceDetector> {
  const entry = findModel(source.manifest, 'faces')
  requireStages(entry, 'scaled-planes', 'yunet-grid')
  const session = await openSession(entry, source.directories, threads)
  let buffer = new Float32Array(0)

  return {
    async detect(frame, part, scale, minScore) {
      const place = {
        x: 0,
        y: 0,
        w: Math.max(1, Math.round(part.w * scale)),
        h: Math.max(1, Math.round(part.h * scale)),
      }
      const width = Math.ceil(place.w / GRAIN) * GRAIN
      const height = Math.ceil(place.h / GRAIN) * GRAIN
      const outputs = await session.run([1, 3, height, width], () => {
        const length = 3 * width * height
        if (buffer.length < length) buffer = new Float32Array(length)
        const values = buffer.subarray(0, length)
        const fill = entry.input.letterbox?.fill ?? 0
        sample(frame, part, place, {
          values,
          width,
          height,
          colour: entry.input.colour,
          maximum: entry.input.maximum,
          fill,
        })
        return values
      })
      const faces: Proposal[] = []
      for (const stride of YUNET_STRIDES) {
        const [classes, objectness, boxes] = ['cls', 'obj', 'bbox'].map(
          (name) => outputs[`${name}_${stride}`],
        )
        const cells = (width / stride) * (height / stride)
        if (classes?.length !== cells || objectness?.length !== cells || boxes?.length !== 4 * cells) {
          throw new RoadveilError(
            'ERR_DETECTION_FAILED',
            `faces: the network's output for stride ${stride} is incomplete`,
          )
        }
        faces.push(...decodeYunet(stride, width / stride, classes, objectness, boxes, minScore))
      }
      const [acrossPixel, downPixel] = [part.w / place.w, part.h / place.h]
      return suppress(faces, MAX_OVERLAP).map(({ box, score }) => ({
        kind: 'face' as const,
        score,
        box: {
          x: (part.x + box.x * acrossPixel) / frame.width,
          y: (part.y + box.y * downPixel) / frame.height,
          w: (box.w * acrossPixel) / frame.width,
          h: (box.h * downPixel) / frame.height,
        },
      }))
    },
    close: () => session.close(),
  }
}
