import type { RawFrame } from '../../../src/domain/frame.ts'
import type { PixelBox } from '../../../src/domain/geometry.ts'
import { RoadveilError } from '../../../src/errors.ts'
import { findModel, requireStages, type ModelSource } from '../../../src/models/manifest.ts'
import type { FoundRegion } from '../../../src/detection/region.ts'
import { sample } from '../../../src/detection/sample.ts'
import { scalePart } from '../../../src/detection/scaled-part.ts'
import { openSession } from '../../../src/detection/session.ts'
import { suppress, type Proposal } from '../../../src/detection/suppression.ts'
import { decodeYunet, YUNET_STRIDES } from './yunet.ts'

const MAX_OVERLAP = 0.4

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
  const session = await openSession(entry, source.directory, threads)
  let buffer = new Float32Array(0)

  return {
    async detect(frame, part, scale, minScore) {
      const { place, width, height, boxInFrame } = scalePart(frame, part, scale)
      const outputs = await session.run([1, 3, height, width], () => {
        const length = 3 * width * height
        if (buffer.length < length) buffer = new Float32Array(length)
        const values = buffer.subarray(0, length)
        const { colour, maximum, letterbox } = entry.input
        sample(frame, part, place, { values, width, height, colour, maximum, fill: letterbox?.fill ?? 0 })
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
      return suppress(faces, MAX_OVERLAP).map(({ box, score }) => ({
        kind: 'face' as const,
        score,
        box: boxInFrame(box),
        extent: boxInFrame(box),
      }))
    },
    close: () => session.close(),
  }
}
