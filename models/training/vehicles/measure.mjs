// Prints how well networks find vehicles, and how long they take, side by side in one run.
//
//   node measure.mjs --size 416x416 --folders FOLDER,… MODEL.onnx …
//
// A folder holds images and `labels.json`. Pictures, averages and suppression are those of `npm run models:evaluate`. The public
// network (80 classes, square) is known by its input's name and asked at 416x416 whatever `--size` says.
import console from 'node:console'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { readImage, readLabels } from '../../../scripts/evaluation/images.ts'
import { averagePrecision } from '../../../scripts/evaluate-models/precision.ts'
import { fit, sample } from '../../../src/detection/sample.ts'
import { suppress } from '../../../src/detection/suppression.ts'
import { decodeYolox } from '../../../scripts/evaluate-models/public/yolox.ts'
import { familyOf } from '../../../src/domain/detection.ts'

const CLASSES = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck']
const COCO = [0, 1, 2, 3, 5, 7]
/** What labels call an object, and which of our classes count for it. */
const LABELS = {
  car: ['car'],
  truck: ['truck'],
  bus: ['bus'],
  bike: ['bicycle', 'motorcycle'],
  vehicle: ['car', 'bus', 'truck', 'motorcycle'],
}
const MIN_SCORE = 0.1
const MAX_OVERLAP = 0.5
const TIMED_RUNS = 40

const { values, positionals } = parseArgs({
  options: { size: { type: 'string', default: '416x416' }, folders: { type: 'string', default: '' } },
  allowPositionals: true,
})

async function open(file) {
  const session = await InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  const isPublic = session.inputNames[0] === 'images'
  const [width, height] = isPublic ? [416, 416] : values.size.split('x').map(Number)
  const type = isPublic ? 'float32' : 'uint8'
  const pixels = new (isPublic ? Float32Array : Uint8ClampedArray)(3 * width * height)
  const canvas = { values: pixels, width, height, colour: isPublic ? 'bgr' : 'gbr', maximum: 255, fill: 114 }
  const run = async () => {
    const data = isPublic ? pixels : new Uint8Array(pixels.buffer)
    const input = new Tensor(type, data, [1, 3, height, width])
    return Object.values(await session.run({ [session.inputNames[0]]: input }))[0].data
  }
  return { file, isPublic, width, height, canvas, run }
}

/** Rows of centre x, centre y, width, height and six scores. */
function readRows(rows) {
  const found = []
  for (let at = 0; at < rows.length; at += 4 + CLASSES.length) {
    const scores = rows.subarray(at + 4, at + 4 + CLASSES.length)
    const score = Math.max(...scores)
    if (score < MIN_SCORE) continue
    const [x, y, w, h] = rows.subarray(at, at + 4)
    found.push({ box: { x: x - w / 2, y: y - h / 2, w, h }, score, choice: scores.indexOf(score) })
  }
  return found
}

async function detect(network, frame) {
  const part = { x: 0, y: 0, w: frame.width, h: frame.height }
  const place = fit(part, network.width, network.height, 'top-left')
  sample(frame, part, place, network.canvas)
  const output = await network.run()
  const objects = network.isPublic ? decodeYolox(output, 416, 85, COCO, MIN_SCORE) : readRows(output)
  const detections = objects.map(({ box, score, choice }) => {
    const left = Math.max(0, (box.x * part.w) / place.w)
    const top = Math.max(0, (box.y * part.h) / place.h)
    const right = Math.min(part.w, ((box.x + box.w) * part.w) / place.w)
    const bottom = Math.min(part.h, ((box.y + box.h) * part.h) / place.h)
    return { box: { x: left, y: top, w: right - left, h: bottom - top }, score, class: CLASSES[choice] }
  })
  return suppress(detections, MAX_OVERLAP, (a, b) => familyOf(a.class) === familyOf(b.class))
}

const networks = []
for (const file of positionals) networks.push(await open(file))
for (const folder of values.folders.split(',').filter(Boolean)) {
  const judged = new Map()
  for (const [name, objects] of await readLabels(folder)) {
    const { frame } = await readImage(folder, name, objects)
    for (const network of networks) {
      const found = await detect(network, frame)
      for (const [label, classes] of Object.entries(LABELS)) {
        const key = `${label.padEnd(8)} ${network.width}x${network.height} ${network.file}`
        if (!judged.has(key)) judged.set(key, [])
        judged.get(key).push({
          found: found.filter((one) => classes.includes(one.class)),
          truths: objects.filter((one) => one.kind === label).map(({ box }) => box),
        })
      }
    }
  }
  console.log(folder)
  for (const [key, images] of [...judged].sort()) {
    const precision = averagePrecision(images)
    if (!Number.isNaN(precision)) console.log(`  AP50 ${(100 * precision).toFixed(1).padStart(5)} %  ${key}`)
  }
}
const times = networks.map(() => [])
for (let round = 0; round < TIMED_RUNS; round++) {
  for (const [at, network] of networks.entries()) {
    const began = performance.now()
    await network.run()
    times[at].push(performance.now() - began)
  }
}
for (const [at, network] of networks.entries()) {
  const sorted = times[at].sort((a, b) => a - b)
  const [least, middle] = [sorted[0], sorted[TIMED_RUNS >> 1]].map((ms) => ms.toFixed(1))
  console.log(`median ${middle} ms, least ${least} ms  ${network.width}x${network.height} ${network.file}`)
}
