// Reads crops with a plate reader: `node read.mjs MODEL.onnx CROPS.rgb OUT.json` writes [[text, confidence], …].
import { readFile, writeFile } from 'node:fs/promises'
import { argv } from 'node:process'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { decode } from '../../../src/plates/read.ts'

export const SIZE = { width: 128, height: 64 }
export const READING = { alphabet: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_', padding: '_', slots: 9 }
const BYTES = SIZE.width * SIZE.height * 3

/** A network and how to ask it about pictures that lie one after the other: [[text, confidence], …]. */
export async function openReader(file) {
  const session = await InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  const run = async (pictures) => {
    const count = pictures.length / BYTES
    const input = new Tensor('uint8', pictures, [count, SIZE.height, SIZE.width, 3])
    return (await session.run({ [session.inputNames[0]]: input }))[session.outputNames[0]].data
  }
  const read = async (pictures) => {
    const readings = []
    for (let at = 0; at < pictures.length; at += BYTES) {
      const { text, confidence } = decode(await run(pictures.subarray(at, at + BYTES)), READING)
      readings.push([text, Number(confidence.toFixed(4))])
    }
    return readings
  }
  return { file, run, read }
}

if (import.meta.main) {
  const [model, crops, out] = argv.slice(2)
  const reader = await openReader(model)
  await writeFile(out, JSON.stringify(await reader.read(new Uint8Array(await readFile(crops)))))
}
