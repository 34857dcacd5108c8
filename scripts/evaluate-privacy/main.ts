import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModelSource } from '../../src/models/source.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'
import { evaluateClip } from './clip.ts'
import { plainHider, productHider } from './hiders.ts'
import { evaluateImages } from './images.ts'
import { linesOf } from './print.ts'
import { reportPage } from './report.ts'
import type { Result } from './result.ts'

/**
 * Prints how well Roadveil hides plates and faces in folders of labelled images or clips, and how well plain detectors do
 * that look at every picture once.
 */

const USAGE = `usage: npm run privacy:evaluate -- DIR... [--report FILE.html | --out DIR] [--limit N]

DIR holds images and labels.json ({file: [{"class": "plate" | "face", "box": [x, y, width, height] in pixels}]}),
or NAME.mp4 with NAME.gt.json in the format of models/selftest.
--report FILE.html   writes a page with a picture of everything left open: raw faces and plates
--out DIR            the same as --report DIR/leaks.html
--limit N            takes N images, spread over all, or the first N frames of a clip`

const { values, positionals } = readArguments()
const limit = values.limit === undefined ? Infinity : Number(values.limit)
const report = values.report ?? (values.out === undefined ? undefined : join(values.out, 'leaks.html'))
const wanted = { limit, thumbnails: report !== undefined }
const networks = await openEvidenceNetworks(await loadModelSource())
const plain = await plainHider()
if (!plain)
  console.log('The public networks are not here (roadveil models pull .models): only Roadveil is evaluated.')
const plainHiders = plain ? [plain] : []

const results: Result[] = []
for (const folder of positionals.map((path) => resolve(path))) {
  const files = await readdir(folder).catch(() => fail(`${folder} cannot be read`))
  const clips = files.filter(
    (name) => name.endsWith('.mp4') && existsSync(join(folder, name.replace(/\.mp4$/, '.gt.json'))),
  )
  const hasImages = existsSync(join(folder, 'labels.json'))
  if (!hasImages && clips.length === 0)
    fail(`${folder} has neither labels.json nor NAME.mp4 with NAME.gt.json`)
  if (hasImages) show(await evaluateImages(folder, [productHider(networks), ...plainHiders], wanted))
  for (const name of clips) show(await evaluateClip(join(folder, name), networks, plainHiders, wanted))
}
if (report !== undefined) {
  await mkdir(resolve(report, '..'), { recursive: true })
  await writeFile(report, reportPage(results), { mode: 0o600 })
  console.log(`\n${report} shows what was left open, raw: for you only`)
}

function show(result: Result): void {
  results.push(result)
  console.log(`\n${linesOf(result).join('\n')}`)
}

function readArguments() {
  const options = { report: { type: 'string' }, out: { type: 'string' }, limit: { type: 'string' } } as const
  try {
    const read = parseArgs({ options, allowPositionals: true })
    const { limit } = read.values
    if (read.positionals.length === 0) fail('no folder is given')
    if (limit !== undefined && !/^[1-9]\d*$/.test(limit)) fail('--limit must be a number of images')
    return read
  } catch (error) {
    return fail(error instanceof Error ? error.message : 'the arguments are wrong')
  }
}

function fail(message: string): never {
  console.error(`error: ${message}\n\n${USAGE}`)
  process.exit(2)
}
