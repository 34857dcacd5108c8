import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readImage, readLabels } from '../evaluation/images.ts'
import type { Hider } from './hiders.ts'
import { type Leak, type Result, type Wanted, emptyTallies } from './result.ts'
import { countPicture } from './tally.ts'
import { cutThumbnail } from './thumbnail.ts'

/** Hides every image of a folder with labels.json in several ways, and compares with the labels. */
export async function evaluateImages(
  folder: string,
  hiders: readonly Hider[],
  { limit, thumbnails }: Wanted,
): Promise<Result> {
  const labels = [...(await readLabels(folder))]
  const chosen = everyNth(labels, limit)
  const tallies = emptyTallies(hiders.map(({ name }) => name))
  const leaks: Leak[] = []
  for (const [name, objects] of chosen) {
    const { frame } = await readImage(folder, name, objects)
    const bytes = await readFile(join(folder, name))
    for (const hider of hiders) {
      const tally = tallies.get(hider.name)
      if (!tally) continue
      const startedAt = performance.now()
      const masks = await hider.hide({ bytes, frame })
      if (!masks) {
        tally.refused++
        continue
      }
      tally.milliseconds += performance.now() - startedAt
      for (const { object, covered } of countPicture(tally, frame, objects, masks)) {
        const leak = { ...object, covered, hider: hider.name, where: name }
        leaks.push(thumbnails ? { ...leak, thumbnail: await cutThumbnail(frame, object.box, masks) } : leak)
      }
    }
  }
  return { title: `${basename(folder)}: ${chosen.length} images`, tallies, leaks }
}

/** At most so many, spread evenly. */
export function everyNth<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most)
  const indexes = new Set(
    Array.from({ length: Math.min(items.length, most) }, (_, i) => Math.floor(i * step)),
  )
  return items.filter((_, i) => indexes.has(i))
}
