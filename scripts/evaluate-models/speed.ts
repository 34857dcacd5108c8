// Before the runtime, which reads it when it is loaded.
import '../../src/detection/quiet-runtime.ts'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type ModelEntry, type ModelRole, findModel, resolveModelFile } from '../../src/models/manifest.ts'
import { loadModelSource, loadPublicModels } from '../../src/models/source.ts'
import { publicDirectory } from './contenders.ts'

/**
 * Prints what the networks alone take on one core for a picture of 640x640, ours and the public ones that they replace, turn by
 * turn in one run. Vehicles are looked for in fewer pixels, by the product as by the public network; with all of them, too.
 */

const RUNS = 40
const SIDE = 640
/** What objects.ts makes of a square picture. */
const ANALYSIS_SIDE = 416

interface Timed {
  readonly name: string
  readonly milliseconds: number[]
  run(): Promise<unknown>
}

const [ours, others] = [await loadModelSource(), await loadPublicModels(publicDirectory())]
const timed = async (source: typeof ours, role: ModelRole, side = SIDE): Promise<Timed> => {
  const entry = findModel(source.manifest, role)
  const session = await InferenceSession.create(await resolveModelFile(entry, source.directory), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  })
  const input = inputOf(entry, side)
  return {
    name: `${entry.file} (${input.dims.slice(2).join('x')})`,
    milliseconds: [],
    run: () => session.run({ [entry.input.name]: input }),
  }
}

function inputOf({ input }: ModelEntry, side: number): Tensor {
  const shape = input.shape.map((size, axis) => (typeof size === 'number' ? size : axis === 0 ? 1 : side))
  const count = shape.reduce((product, size) => product * size)
  const values = Uint8Array.from({ length: count }, (_, i) => (i * 7919) % 256)
  return input.type === 'uint8'
    ? new Tensor('uint8', values, shape)
    : new Tensor('float32', Float32Array.from(values), shape)
}

const regions = await timed(ours, 'regions')
const objects = await timed(ours, 'objects')
const groups = {
  'public: vehicles, faces, plates': [
    await timed(others, 'objects'),
    await timed(others, 'faces'),
    await timed(others, 'plates-small'),
  ],
  'ours, as the product runs them': [await timed(ours, 'objects', ANALYSIS_SIDE), regions],
  'ours, vehicles in all pixels, too': [objects, regions],
  'ours, for pictures that stand alone': [objects, await timed(ours, 'regions-fine')],
}
for (let run = 0; run < RUNS; run++) {
  for (const network of new Set(Object.values(groups).flat())) {
    const startedAt = performance.now()
    await network.run()
    network.milliseconds.push(performance.now() - startedAt)
  }
}
for (const [title, networks] of Object.entries(groups)) {
  let [least, middle] = [0, 0]
  for (const { name, milliseconds } of networks) {
    const sorted = milliseconds.toSorted((a, b) => a - b)
    const [a, b] = [sorted[0] ?? 0, sorted[RUNS >> 1] ?? 0]
    least += a
    middle += b
    console.log(`  ${name.padEnd(44)} least ${a.toFixed(1)} ms, median ${b.toFixed(1)} ms`)
  }
  console.log(`${title.padEnd(46)} least ${least.toFixed(1)} ms, median ${middle.toFixed(1)} ms`)
}
