import { type PixelBox, iou } from '../../src/domain/geometry.ts'

/** What a detector said about one image, and what is true. */
export interface Judged {
  readonly found: readonly { readonly box: PixelBox; readonly score: number }[]
  readonly truths: readonly PixelBox[]
}

/**
 * Average precision at an overlap of 0.5: the area under the precision-recall curve, precision made monotonous (PASCAL VOC
 * 2010 and later).
 *
 * @returns 0-1; NaN where there is nothing to find
 */
export function averagePrecision(images: readonly Judged[]): number {
  const total = images.reduce((sum, { truths }) => sum + truths.length, 0)
  const matched = images.map(() => new Set<PixelBox>())
  const ranked = images
    .flatMap(({ found }, index) => found.map((item) => ({ ...item, index })))
    .sort((a, b) => b.score - a.score)
  const points: { precision: number; recall: number }[] = []
  let hits = 0
  ranked.forEach(({ box, index }, rank) => {
    const taken = matched[index]
    const best = images[index]?.truths
      .map((truth) => ({ truth, overlap: iou(truth, box) }))
      .sort((a, b) => b.overlap - a.overlap)
      .find(({ truth, overlap }) => overlap >= 0.5 && !taken?.has(truth))
    if (best) {
      taken?.add(best.truth)
      hits++
    }
    points.push({ precision: hits / (rank + 1), recall: hits / total })
  })
  if (total === 0) return NaN
  let area = 0
  let ceiling = 0
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i]
    if (!point) continue
    ceiling = Math.max(ceiling, point.precision)
    area += ceiling * (point.recall - (points[i - 1]?.recall ?? 0))
  }
  return area
}
