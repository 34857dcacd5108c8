import type { Proposal } from '../../../src/detection/suppression.ts'

export const YUNET_STRIDES = [8, 16, 32] as const

/**
 * Decodes one stride of YuNet: score = sqrt(class * objectness), centre = (cell + offset) * stride, size = exp(value) *
 * stride (libfacedetection.train; the same as OpenCV's `face_detect.cpp`).
 *
 * @param columns cells in a row: the input's width / stride
 * @returns boxes in pixels of the network's input
 */
export function decodeYunet(
  stride: number,
  columns: number,
  classes: Float32Array,
  objectness: Float32Array,
  boxes: Float32Array,
  minScore: number,
): Proposal[] {
  const found: Proposal[] = []
  for (let cell = 0; cell < classes.length; cell++) {
    const sure = clamp(classes[cell] ?? 0) * clamp(objectness[cell] ?? 0)
    if (sure < minScore * minScore) continue
    const at = cell * 4
    const w = Math.exp(boxes[at + 2] ?? 0) * stride
    const h = Math.exp(boxes[at + 3] ?? 0) * stride
    const x = ((cell % columns) + (boxes[at] ?? 0)) * stride - w / 2
    const y = (Math.floor(cell / columns) + (boxes[at + 1] ?? 0)) * stride - h / 2
    found.push({ box: { x, y, w, h }, score: Math.sqrt(sure) })
  }
  return found
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value))
}
