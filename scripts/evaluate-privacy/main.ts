import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModelSource } from '../../src/models/source.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'
import { evaluateClip } from './clip.ts'
import { plainHider, productHider } from './hiders.ts'
import { evaluateImages } from './images.ts'
import { type LabelledClip, labelsOf } from './labelled-clip.ts'
import { openClip } from './open-clip.ts'
import { linesOf } from './print.ts'
import { reportPage } from './report.ts'
import type { Result } from './result.ts'
import { evaluateVideo } from './video.ts'

/**
 * Prints how well Roadveil hides plates and faces in folders of labelled images or clips, and how well plain detectors do
 * that look at every picture once.
 */

const USAGE = `usage: npm run privacy:evaluate -- DIR|CLIP... [--labels FILE] [--every-frame]
       [--report FILE.html | --out DIR] [--limit N]

DIR holds images and labels.json ({file: [{"class": "plate" | "face", "box": [x, y, width, height] in pixels}]}), or clips.
CLIP is NAME.mp4 with NAME.gt.json beside it in the format of models/selftest, or with scripts/evaluate-privacy/labels/NAME.json
--labels FILE        labels of the one clip that is given, in either format
--every-frame        hides clips as \`roadveil anonymize\` does, too, and compares every frame
--report FILE.html   writes a page with a picture of everything left open: raw faces and plates
--out DIR            the same as --report DIR/leaks.html
--limit N            takes N images, spread over all, or the first N frames of a clip`

const { values, positionals } = readArguments()
const limit = values.limit === undefined ? Infinity : Number(values.limit)
const report = values.report ?? (values.out === undefined ? undefined : join(values.out, 'leaks.html'))
const wanted = { limit, thumbnails: report !== undefined }
const inputs = await Promise.all(positionals.map((path) => findInput(resolve(path))))
const networks = await openEvidenceNetworks(await loadModelSource())
const plain = await plainHider()
if (!plain)
  console.log('The public networks are not here (roadveil models pull .models): only Roadveil is evaluated.')
const plainHiders = plain ? [plain] : []

const results: Result[] = []
for (const { folder, clips } of inputs) {
  if (folder !== undefined)
    show(await evaluateImages(folder, [productHider(networks), ...plainHiders], wanted))
  for (const clip of clips) {
    show(await evaluateClip(clip, networks, plainHiders, wanted))
    if (values['every-frame'] === true) show(await evaluateVideo(clip, networks, wanted))
  }
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

/** A folder of images, the clips in it, or one clip; all that can be wrong with them is found before anything is worked on. */
async function findInput(path: string): Promise<{ folder?: string; clips: LabelledClip[] }> {
  if (path.endsWith('.mp4')) {
    const labels = values.labels ?? labelsOf(path)
    if (labels === undefined) return fail(`${path} has no labels`)
    return { clips: [await opened(path, labels)] }
  }
  const files = await readdir(path).catch(() => fail(`${path} cannot be read`))
  const clips: LabelledClip[] = []
  for (const name of files.filter((name) => name.endsWith('.mp4')).sort()) {
    const labels = labelsOf(join(path, name))
    if (labels === undefined) console.error(`${name} has no labels: it is left out`)
    else clips.push(await opened(join(path, name), labels))
  }
  const hasImages = files.includes('labels.json')
  if (!hasImages && clips.length === 0)
    fail(`${path} has neither labels.json nor a clip of which there are labels`)
  return hasImages ? { folder: path, clips } : { clips }
}

async function opened(clip: string, labels: string): Promise<LabelledClip> {
  return openClip(clip, labels).catch((error: unknown) =>
    fail(error instanceof Error ? error.message : `${labels} cannot be read`),
  )
}

function readArguments() {
  const [string, boolean] = [{ type: 'string' }, { type: 'boolean' }] as const
  const options = { report: string, out: string, limit: string, labels: string, 'every-frame': boolean }
  try {
    const read = parseArgs({ options, allowPositionals: true })
    const { limit, labels } = read.values
    if (read.positionals.length === 0) fail('no folder or clip is given')
    if (labels !== undefined && (read.positionals.length > 1 || !read.positionals[0]?.endsWith('.mp4')))
      fail('--labels is for one clip')
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
