import { resolve } from 'node:path'
import { loadModelSource, loadPublicModels } from '../../src/models/source.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'
import {
  type Contender,
  objectContenders,
  productContender,
  publicContenders,
  publicDirectory,
} from './contenders.ts'
import { HEIGHTS, type Hiding, countImage, emptyHiding } from '../evaluation/hiding.ts'
import { type LabelledImage, readImage, readLabels } from '../evaluation/images.ts'
import { type Judged, averagePrecision } from './precision.ts'

/**
 * Prints how well faces and plates are hidden, and vehicles and persons found, in folders of labelled images: by the
 * public networks as they are usually run, and by Roadveil's stills, on the same images in the same run.
 */

/** What labels call a vehicle or a person, and what we call it. */
const OBJECT_NAMES: Readonly<Record<string, readonly string[]>> = {
  vehicle: ['car', 'bus', 'truck', 'motorcycle'],
  car: ['car'],
  bus: ['bus'],
  truck: ['truck'],
  bike: ['bicycle', 'motorcycle'],
  person: ['person'],
}

/** What one network found of one class, and how long it took. */
interface JudgedRun {
  readonly images: Judged[]
  milliseconds: number
}

const folders = process.argv.slice(2)
if (folders.length === 0) {
  console.error('usage: npm run models:evaluate -- FOLDER... (images and labels.json)')
  process.exit(2)
}
const models = await loadModelSource()
const publicModels = await loadPublicModels(publicDirectory())
const hiders = [
  ...(await publicContenders(publicModels)),
  productContender(await openEvidenceNetworks(models)),
]
const finders = await objectContenders(models, publicModels)
for (const folder of folders) await evaluateFolder(resolve(folder))

async function evaluateFolder(folder: string): Promise<void> {
  const labels = await readLabels(folder)
  const kinds = new Set([...labels.values()].flat().map(({ kind }) => kind))
  const hidings = new Map<string, { contender: Contender; kind: string; hiding: Hiding }>()
  const judged = new Map<string, JudgedRun>()
  for (const [name, objects] of labels) {
    const image = await readImage(folder, name, objects)
    for (const contender of hiders) {
      for (const kind of contender.kinds.filter((one) => kinds.has(one))) {
        const key = `${kind} ${contender.name}`
        const entry = hidings.get(key) ?? { contender, kind, hiding: emptyHiding() }
        hidings.set(key, entry)
        const startedAt = performance.now()
        const masks = await contender.masks(image.frame, kind)
        countImage(entry.hiding, image, kind, masks, performance.now() - startedAt)
      }
    }
    await judgeObjects(image, kinds, judged)
  }
  console.log(`\n${folder}: ${labels.size} images`)
  for (const { contender, kind, hiding } of hidings.values()) printHiding(contender.name, kind, hiding)
  for (const [name, { images, milliseconds }] of judged) {
    const precision = `AP50 ${(100 * averagePrecision(images)).toFixed(1)} %`
    console.log(`  ${name.padEnd(40)} ${precision}, ${(milliseconds / images.length).toFixed(0)} ms an image`)
  }
}

async function judgeObjects(
  image: LabelledImage,
  kinds: ReadonlySet<string>,
  judged: Map<string, JudgedRun>,
): Promise<void> {
  const wanted = [...kinds].filter((kind) => Object.hasOwn(OBJECT_NAMES, kind))
  if (wanted.length === 0) return
  const { width, height } = image.frame
  for (const finder of finders) {
    const startedAt = performance.now()
    const objects = await finder.detect(image.frame)
    const took = performance.now() - startedAt
    const found = objects.map(({ box: { x, y, w, h }, class: kind, score }) => ({
      ...{ kind, score },
      box: { x: x * width, y: y * height, w: w * width, h: h * height },
    }))
    for (const kind of wanted) {
      const key = `${kind} ${finder.name}`
      const run = judged.get(key) ?? { images: [], milliseconds: 0 }
      judged.set(key, run)
      run.milliseconds += took
      run.images.push({
        found: found.filter((item) => OBJECT_NAMES[kind]?.includes(item.kind)),
        truths: image.objects.filter((object) => object.kind === kind).map(({ box }) => box),
      })
    }
  }
}

function printHiding(name: string, kind: string, hiding: Hiding): void {
  const share = ({ hidden, all }: { hidden: number; all: number }): string =>
    all === 0 ? '-' : `${((100 * hidden) / all).toFixed(1)} % of ${all}`
  const all = hiding.byHeight.reduce((sum, { all }) => sum + all, 0)
  const large = hiding.byHeight.slice(2).reduce((sum, count) => ({
    hidden: sum.hidden + count.hidden,
    all: sum.all + count.all,
  }))
  console.log(`  ${kind}, ${name}`)
  const columns = HEIGHTS.map(
    ([from, to], i) =>
      `${to === Infinity ? `${from}+` : `${from}-${to}`} px ${share(hiding.byHeight[i] ?? { hidden: 0, all: 0 })}`,
  )
  console.log(`    hidden: 12+ px ${share(large)} | ${columns.join(' | ')}`)
  console.log(`    by light: day ${share(hiding.day)} | night ${share(hiding.night)}`)
  console.log(
    `    ${(hiding.masks / Math.max(1, all)).toFixed(2)} masks a true object, ` +
      `${((100 * hiding.emptyShare) / hiding.images).toFixed(2)} % of the area hidden in vain, ` +
      `${(hiding.milliseconds / hiding.images).toFixed(0)} ms an image`,
  )
}
