// Runs a detection network over a folder of images and writes what it finds, for `teacher.py` and `evaluate.py`.
//
//   node detect.mjs --kind own|yunet|y5fu --model FILE.onnx --images FOLDER --out FILE.json [--scales 1,2] [--side 640]
//                   [--min 0.02] [--hull 0.7]
//
// `--scales` multiplies the image before the network sees it. `--side` is used instead where it is given: the longer side of
// the image is scaled to it. Both lists may name several; the finds of all are put together, then suppressed.
// The answer is {file: {plates: [[x, y, w, h, score, x1, y1, … x4, y4]], faces: [[x, y, w, h, score]], ms}} in pixels of the file.
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { InferenceSession, Tensor } from 'onnxruntime-node'

const MAX_OVERLAP = 0.5
const MOST_BOXES = 1000

const { values: args } = parseArgs({
  options: Object.fromEntries(
    ['kind', 'model', 'images', 'out', 'scales', 'side', 'min', 'hull'].map((name) => [
      name,
      { type: 'string' },
    ]),
  ),
})
const minScore = Number(args.min ?? 0.02)
const hullShare = Number(args.hull ?? Infinity)
const session = await InferenceSession.create(args.model, { intraOpNumThreads: 1, interOpNumThreads: 1 })

/** The image at a width and height, padded with black at the right and below to a canvas: three planes, R, G, B. */
async function planes(file, width, height, canvasWidth, canvasHeight) {
  const pixels = await sharp(file)
    .resize(width, height, { fit: 'fill' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer()
  const area = canvasWidth * canvasHeight
  const out = [new Uint8Array(area), new Uint8Array(area), new Uint8Array(area)]
  for (let y = 0; y < height; y++)
    for (let x = 0, from = y * width * 3, to = y * canvasWidth; x < width; x++, from += 3, to++)
      for (let plane = 0; plane < 3; plane++) out[plane][to] = pixels[from + plane]
  return out
}

function joined(planesInOrder, type, factor) {
  const area = planesInOrder[0].length
  const out = new type(area * 3)
  planesInOrder.forEach((plane, at) => {
    if (factor === 1) out.set(plane, at * area)
    else for (let i = 0; i < area; i++) out[at * area + i] = plane[i] * factor
  })
  return out
}

const clamp = (value) => Math.min(1, Math.max(0, value))

/** Each kind: the canvas it wants for an image, its feed, and its rows [cx, cy, w, h, score, …corners] by group. */
const kinds = {
  own: {
    canvas: (w, h) => [Math.ceil(w / 32) * 32, Math.ceil(h / 32) * 32],
    feed: ([r, g, b]) => ['uint8', joined([g, b, r], Uint8Array, 1)],
    rows({ plates, faces }) {
      const read = ({ data }, columns) => {
        const rows = []
        for (let at = 0; at < data.length; at += columns)
          if (data[at] >= minScore)
            rows.push([...data.subarray(at + 1, at + 5), data[at], ...data.subarray(at + 5, at + columns)])
        return rows
      }
      return { plates: read(plates, 13), faces: read(faces, 5) }
    },
  },
  yunet: {
    canvas: (w, h) => [Math.ceil(w / 32) * 32, Math.ceil(h / 32) * 32],
    feed: ([r, g, b]) => ['float32', joined([b, g, r], Float32Array, 1)],
    rows(outputs, canvasWidth) {
      const faces = []
      for (const stride of [8, 16, 32]) {
        const [cls, obj, box] = ['cls', 'obj', 'bbox'].map((name) => outputs[`${name}_${stride}`].data)
        for (let cell = 0; cell < cls.length; cell++) {
          const score = Math.sqrt(clamp(cls[cell]) * clamp(obj[cell]))
          if (score < minScore) continue
          const [dx, dy, w, h] = box.subarray(cell * 4, cell * 4 + 4)
          const columns = canvasWidth / stride
          faces.push([
            ((cell % columns) + dx) * stride,
            (Math.floor(cell / columns) + dy) * stride,
            Math.exp(w) * stride,
            Math.exp(h) * stride,
            score,
          ])
        }
      }
      return { plates: [], faces }
    },
  },
  y5fu: {
    canvas: () => [Number(args.side ?? 640), Number(args.side ?? 640)],
    feed: (rgb) => ['float32', joined(rgb, Float32Array, 1 / 255)],
    rows({ output: { data } }) {
      const plates = []
      for (let at = 0; at < data.length; at += 15) {
        const score = data[at + 4] * Math.max(data[at + 13], data[at + 14])
        if (score >= minScore)
          plates.push([...data.subarray(at, at + 4), score, ...data.subarray(at + 5, at + 13)])
      }
      return { plates, faces: [] }
    },
  },
}

function overlap(a, b) {
  const w = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0])
  const h = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1])
  return w <= 0 || h <= 0 ? 0 : (w * h) / (a[2] * a[3] + b[2] * b[3] - w * h)
}

/**
 * Of boxes that overlap, the surest stays. With `--hull SHARE` it grows to hold those that it replaces whose score is at
 * least that share of its own: they tell how unsure its edges are.
 */
function suppress(boxes) {
  const kept = []
  for (const box of boxes.sort((a, b) => b[4] - a[4]).slice(0, MOST_BOXES)) {
    const place = kept.find(({ surest }) => overlap(box, surest) >= MAX_OVERLAP)
    if (!place) kept.push({ surest: box, hull: box.slice(0, 4) })
    else if (box[4] >= hullShare * place.surest[4]) place.hull = hullOf(place.hull, box)
  }
  return kept.map(({ surest, hull }) => [...hull, ...surest.slice(4)])
}

function hullOf(a, b) {
  const [x, y] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])]
  return [x, y, Math.max(a[0] + a[2], b[0] + b[2]) - x, Math.max(a[1] + a[3], b[1] + b[3]) - y]
}

const kind = kinds[args.kind]
const found = {}
const files = (await readdir(args.images)).filter((file) => /\.(jpe?g|png)$/i.test(file)).sort()
for (const file of files) {
  const path = join(args.images, file)
  const { width, height } = await sharp(path).metadata()
  const factors = args.side
    ? args.side.split(',').map((side) => Number(side) / Math.max(width, height))
    : (args.scales ?? '1').split(',').map(Number)
  const all = { plates: [], faces: [] }
  let ms = 0
  for (const factor of factors) {
    const [w, h] = [Math.max(1, Math.round(width * factor)), Math.max(1, Math.round(height * factor))]
    const [canvasWidth, canvasHeight] = kind.canvas(w, h)
    const [type, data] = kind.feed(await planes(path, w, h, canvasWidth, canvasHeight))
    const input = new Tensor(type, data, [1, 3, canvasHeight, canvasWidth])
    const began = performance.now()
    const rows = kind.rows(await session.run({ [session.inputNames[0]]: input }), canvasWidth)
    ms += performance.now() - began
    for (const group of ['plates', 'faces'])
      for (const [cx, cy, bw, bh, score, ...corners] of rows[group])
        all[group].push([
          ...[cx - bw / 2, cy - bh / 2, bw, bh].map((value) => value / factor),
          score,
          ...corners.map((value) => value / factor),
        ])
  }
  const round = (box) =>
    box.map((value, at) => Math.round(value * (at === 4 ? 1e4 : 10)) / (at === 4 ? 1e4 : 10))
  found[file] = {
    plates: suppress(all.plates).map(round),
    faces: suppress(all.faces).map(round),
    ms: Math.round(ms),
  }
}
await writeFile(args.out, JSON.stringify(found))
