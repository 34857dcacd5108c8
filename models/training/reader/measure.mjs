// Prints how well plate readers read, and how long they take, side by side in one run.
//
//   node measure.mjs [--sets STEM,…] [--clip FOLDER] MODEL.onnx …
//
// A set is what `held_out.py` wrote: STEM.rgb and STEM.json. The clip is `models/selftest`: every plate of at least 10 pixels
// that is wholly to be seen is cut by the product's own code and voted on as the product does it.
import { spawn } from 'node:child_process'
import { Buffer } from 'node:buffer'
import console from 'node:console'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { rawFrame } from '../../../src/domain/frame.ts'
import { readPlate } from '../../../src/plates/read.ts'
import { voteText } from '../../../src/plates/vote.ts'
import { openReader, READING, SIZE } from './read.mjs'

const HEIGHTS = [10, 14, 20, 40, Infinity]
/** The product's default of `plates.minConfidence`. */
const SURE = 0.85
const MIN_VISIBLE = 0.95
const TIMED_RUNS = 300

const { values, positionals } = parseArgs({
  options: { sets: { type: 'string', default: '' }, clip: { type: 'string' } },
  allowPositionals: true,
})

/** Letters to add, to drop or to change to come from one text to the other. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}

const percent = (part, whole) => (whole ? ((100 * part) / whole).toFixed(1) : '-').padStart(6)

/** One line: readings [{truth, text, confidence}]. */
function line(title, readings) {
  const letters = readings.reduce((sum, { truth }) => sum + truth.length, 0)
  const wrong = readings.reduce(
    (sum, { truth, text }) => sum + Math.min(truth.length, distance(truth, text)),
    0,
  )
  const exact = readings.filter(({ truth, text }) => truth === text).length
  const sure = readings.filter(({ confidence }) => confidence >= SURE)
  const lies = sure.filter(({ truth, text }) => truth !== text).length
  const shares = [
    percent(exact, readings.length),
    percent(letters - wrong, letters),
    percent(sure.length, readings.length),
    percent(lies, sure.length),
  ]
  console.log(`${title.padEnd(34)} ${String(readings.length).padStart(5)} ${shares.join(' ')}`)
}

function table(title, readers, readings) {
  console.log(`\n${title.padEnd(34)} plates  exact letters sure sure but wrong, %`)
  for (const [at, low] of HEIGHTS.slice(0, -1).entries()) {
    const high = HEIGHTS[at + 1]
    const range = high === Infinity ? `${low}+ px` : `${low}-${high} px`
    for (const reader of readers) {
      const mine = readings.filter((one) => one.reader === reader && one.height >= low && one.height < high)
      if (mine.length) line(`  ${range} ${reader.name}`, mine)
    }
  }
  for (const reader of readers)
    line(
      `  all ${reader.name}`,
      readings.filter((one) => one.reader === reader),
    )
}

async function* decodeClip(file, { width, height }) {
  const ffmpeg = spawn('ffmpeg', ['-v', 'error', '-i', file, '-f', 'rawvideo', '-pix_fmt', 'gbrp', '-'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const size = width * height * 3
  let sequence = 0
  let parts = []
  let length = 0
  for await (const part of ffmpeg.stdout) {
    parts.push(part)
    length += part.length
    while (length >= size) {
      const all = Buffer.concat(parts)
      const planes = new Uint8Array(all.subarray(0, size))
      parts = [all.subarray(size)]
      length -= size
      yield rawFrame({ cameraId: 'clip', sequence, capturedAt: sequence * 100, width, height, planes })
      sequence++
    }
  }
}

async function readClip(folder, readers) {
  const truth = JSON.parse(await readFile(join(folder, 'street.gt.json'), 'utf8'))
  const readings = []
  for await (const frame of decodeClip(join(folder, 'street.mp4'), truth)) {
    for (const plate of truth.frames[frame.sequence].objects) {
      if (plate.cls !== 'plate' || plate.visibility < MIN_VISIBLE || plate.inFrame < 1) continue
      const [x, y, w, h] = plate.box
      const box = { x: x / truth.width, y: y / truth.height, w: w / truth.width, h: h / truth.height }
      for (const reader of readers) {
        const reading = await readPlate(frame, box, { ...READING, ...SIZE, run: reader.run })
        if (reading) readings.push({ ...reading, reader, truth: plate.text, height: h })
      }
    }
  }
  return readings
}

const readers = []
for (const file of positionals)
  readers.push({ ...(await openReader(file)), name: file.split('/').at(-1).replace('.onnx', '') })
for (const stem of values.sets.split(',').filter(Boolean)) {
  const notes = JSON.parse(await readFile(`${stem}.json`, 'utf8'))
  const pictures = new Uint8Array(await readFile(`${stem}.rgb`))
  const readings = []
  for (const reader of readers) {
    const found = await reader.read(pictures)
    for (const [at, { text: truth, height }] of notes.entries())
      readings.push({ reader, truth, height, text: found[at][0], confidence: found[at][1] })
  }
  table(stem.split('/').at(-1), readers, readings)
}
if (values.clip) {
  const readings = await readClip(values.clip, readers)
  table('clip', readers, readings)
  for (const reader of readers)
    for (const truth of new Set(readings.map((one) => one.truth))) {
      const vote = voteText(
        readings.filter((one) => one.reader === reader && one.truth === truth),
        SURE,
      )
      console.log(`  ${truth} voted ${vote.text} at ${vote.confidence.toFixed(3)}, ${reader.name}`)
    }
}
const picture = new Uint8Array(SIZE.width * SIZE.height * 3).map((_, at) => (at * 31) % 251)
const times = readers.map(() => [])
for (let round = 0; round < TIMED_RUNS; round++) {
  for (const [at, reader] of readers.entries()) {
    const began = performance.now()
    await reader.run(picture)
    times[at].push(performance.now() - began)
  }
}
console.log('\none plate on one core')
for (const [at, { name }] of readers.entries()) {
  const sorted = times[at].sort((a, b) => a - b)
  const [least, middle] = [sorted[0], sorted[TIMED_RUNS >> 1]].map((ms) => ms.toFixed(2))
  console.log(`  median ${middle} ms, least ${least} ms  ${name}`)
}
