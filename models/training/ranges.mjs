// Says how large each activation of an exposed network gets (quantize.py expose), over images of some folders.
//
//   node ranges.mjs --model EXPOSED.onnx --images FOLDER,FOLDER --out FILE.json
//
// The answer is {name: value}: the largest over the images of the value that one in 5,000 of an image's activations exceeds.
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { InferenceSession, Tensor } from 'onnxruntime-node'

const IMAGES_A_FOLDER = 24
const [WIDTH, HEIGHT] = [512, 384]
const EXCEEDED = 1 / 5000
/** Of an activation's values so many are sorted. */
const SAMPLES = 40_000

const { values: args } = parseArgs({
  options: Object.fromEntries(['model', 'images', 'out'].map((name) => [name, { type: 'string' }])),
})
// Fused networks do not give what happens within.
const session = await InferenceSession.create(args.model, {
  intraOpNumThreads: 1,
  graphOptimizationLevel: 'basic',
})
const activations = session.outputNames.slice(2)
const largest = Object.fromEntries(activations.map((name) => [name, 0]))
for (const folder of args.images.split(',')) {
  const files = (await readdir(folder)).filter((file) => /\.(jpe?g|png)$/i.test(file)).sort()
  const step = Math.max(1, Math.floor(files.length / IMAGES_A_FOLDER))
  for (const file of files.filter((_, at) => at % step === 0)) {
    const image = new Tensor('uint8', await planes(join(folder, file)), [1, 3, HEIGHT, WIDTH])
    const outputs = await session.run({ [session.inputNames[0]]: image })
    for (const name of activations) largest[name] = Math.max(largest[name], high(outputs[name].data))
  }
}
await writeFile(args.out, JSON.stringify(largest))

/** Planes G, B, R. */
async function planes(file) {
  const pixels = await sharp(file)
    .resize(WIDTH, HEIGHT, { fit: 'cover' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer()
  const area = WIDTH * HEIGHT
  return Uint8Array.from({ length: 3 * area }, (_, at) => {
    const plane = Math.floor(at / area)
    return pixels[3 * (at % area) + ((plane + 1) % 3)]
  })
}

function high(values) {
  const step = Math.max(1, Math.floor(values.length / SAMPLES))
  const sorted = Float32Array.from(
    { length: Math.floor(values.length / step) },
    (_, at) => values[at * step],
  ).sort()
  return sorted[Math.floor(sorted.length * (1 - EXCEEDED))]
}
