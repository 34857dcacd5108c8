import { writeFileSync } from 'node:fs'
import sharp from 'sharp'
import t from 'tap'
import type { Box } from '../../src/domain/geometry.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'
import { type Hider, PRODUCT, productHider, sourceOf } from '../../scripts/evaluate-privacy/hiders.ts'
import { evaluateImages, everyNth } from '../../scripts/evaluate-privacy/images.ts'
import { linesOf } from '../../scripts/evaluate-privacy/print.ts'
import { reportPage } from '../../scripts/evaluate-privacy/report.ts'
import { detectorsOf } from '../support/detectors.ts'

/** Two grey images of 160x120, with a plate that is labelled in each. */
async function twoImages(folder: string): Promise<void> {
  const labels: Record<string, unknown> = {}
  for (const name of ['one.jpg', 'two.jpg']) {
    const image = sharp({ create: { width: 160, height: 120, channels: 3, background: '#777' } })
    writeFileSync(`${folder}/${name}`, await image.jpeg().toBuffer())
    labels[name] = [{ class: 'plate', box: [56, 30, 48, 24] }]
  }
  writeFileSync(`${folder}/labels.json`, JSON.stringify(labels))
}

/** Hides the labelled plate of the images that it is given before it tires, and gives nothing of the others. */
function tiring(name: string, images: number): Hider {
  let left = images
  return {
    name,
    hide: async () =>
      left-- > 0 ? [{ source: 'found', box: { x: 0.35, y: 0.25, w: 0.3, h: 0.2 } }] : undefined,
  }
}
const blind: Hider = { name: 'blind <b>', hide: async () => [] }

await t.test('several ways of hiding are compared on the same images', async (t) => {
  const folder = t.testdir()
  await twoImages(folder)
  const result = await evaluateImages(folder, [tiring('good', 2), tiring('tired', 1), blind], {
    limit: Infinity,
    thumbnails: true,
  })
  const lines = linesOf(result)
  const share = (name: string): string => lines.find((line) => line.startsWith(`  ${name}`))?.slice(50) ?? ''
  t.match(share('good'), /^ *100\.0 % of 2 +100\.0 % of 2/)
  t.match(share('tired'), /^ *100\.0 % of 1 /)
  t.match(share('blind'), /^ *0\.0 % of 2 /)
  t.ok(lines.some((line) => line.startsWith('tired gave out nothing of 1')))
  t.strictSame(
    result.leaks.map(({ hider, where }) => [hider, where]),
    [
      ['blind <b>', 'one.jpg'],
      ['blind <b>', 'two.jpg'],
    ],
  )
  const page = reportPage([result])
  t.match(page, 'for the evaluator only')
  t.equal(page.match(/<figure>/g)?.length, 2)
  t.notMatch(page, /<b>|src="|href="(?!data:)/, 'the page needs nothing else and runs nothing')
})

await t.test('no picture is kept where no report is wanted', async (t) => {
  const folder = t.testdir()
  await twoImages(folder)
  const { leaks } = await evaluateImages(folder, [blind], { limit: 1, thumbnails: false })
  t.equal(leaks.length, 1)
  t.equal(leaks[0]?.thumbnail, undefined)
})

/** Networks that find nothing but a plate, where they are told. */
function finding(place: () => Box): EvidenceDeps {
  const plateText = { alphabet: '_', padding: '_', slots: 1, width: 8, height: 8 }
  return {
    detectors: detectorsOf(async () => [{ kind: 'plate', score: 0.9, box: place() }]),
    plateText: { ...plateText, run: async () => new Float32Array(1) },
  }
}

await t.test('Roadveil is measured with what `roadveil anonymize` hides and refuses', async (t) => {
  const folder = t.testdir()
  await twoImages(folder)
  const wanted = { limit: Infinity, thumbnails: false }
  const steady = productHider(finding(() => ({ x: 0.35, y: 0.25, w: 0.3, h: 0.2 })))
  const hidden = await evaluateImages(folder, [steady], wanted)
  t.strictSame(hidden.leaks, [])
  t.equal(hidden.tallies.get(PRODUCT)?.pictures, 2)

  let looks = 0
  const wandering = productHider(finding(() => ({ x: (looks++ * 0.11) % 0.9, y: 0.7, w: 0.03, h: 0.03 })))
  const refused = await evaluateImages(folder, [wandering], wanted)
  t.equal(refused.tallies.get(PRODUCT)?.refused, 2, 'what is found after it was redacted twice')
  t.strictSame(refused.leaks, [], 'is not given out, and so nothing in it is open')
})

await t.test(
  'what is hidden in case somebody sits there is told from what is inferred and found',
  async (t) => {
    t.equal(sourceOf('windscreen', 'inferred'), 'windscreen')
    t.equal(sourceOf('plate-area', 'inferred'), 'inferred')
    t.equal(sourceOf('face', 'followed'), 'found')
  },
)

await t.test('a sample is spread over all images', async (t) => {
  t.strictSame(everyNth([0, 1, 2, 3, 4, 5, 6, 7], 4), [0, 2, 4, 6])
  t.strictSame(everyNth([0, 1, 2], 2), [0, 1])
  t.strictSame(everyNth([0, 1], 5), [0, 1])
  t.strictSame(everyNth([0, 1], Infinity), [0, 1])
})
