import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
// Before the runtime, which reads it when it is loaded.
import './quiet-runtime.ts'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { RoadveilError } from '../errors.ts'
import { resolveModelFile, type ModelEntry } from '../models/manifest.ts'

/** Output values by name, as the network gives them, all finite. */
export type ModelOutputs = Readonly<Record<string, Float32Array>>

/** A loaded network. */
export interface ModelSession {
  readonly entry: ModelEntry
  /**
   * Runs the network once. Blocks the calling thread while it computes.
   *
   * Calls are answered one after the other; `prepare` is called when it is this call's turn, so that it may fill the same
   * buffer each time.
   *
   * @throws ERR_DETECTION_FAILED where the runtime fails or an output is missing, of the wrong length, NaN or infinite
   */
  run(shape: readonly number[], prepare: () => Float32Array | Uint8Array): Promise<ModelOutputs>
  close(): Promise<void>
}

/**
 * Loads one network, made once and kept. The session is created from the very bytes whose hash was checked.
 *
 * @param threads that one run takes; a second one gains a third of the time on large inputs and costs CPU time
 * @throws ERR_MODEL_MISSING where the folder does not have the file
 * @throws ERR_MODEL_HASH where it is another file than the manifest's
 * @throws ERR_MODEL_SHAPE where its inputs and outputs are not what the manifest says
 */
export async function openSession(
  entry: ModelEntry,
  directory: string,
  threads: 1 | 2 = 1,
): Promise<ModelSession> {
  const file = await resolveModelFile(entry, directory)
  const content = await readFile(file)
  const hash = createHash('sha256').update(content).digest('hex')
  if (hash !== entry.sha256) {
    throw new RoadveilError(
      'ERR_MODEL_HASH',
      `${file} has SHA-256 ${hash}, the manifest says ${entry.sha256}`,
    )
  }
  const session = await InferenceSession.create(content, {
    intraOpNumThreads: threads,
    // A second thread that waits in a loop would eat the core that it is to save.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  }).catch((cause: unknown) => {
    throw new RoadveilError('ERR_MODEL_SHAPE', `${entry.file} is no network that can be run`, { cause })
  })
  checkShapes(entry, session)

  let turn: Promise<unknown> = Promise.resolve()
  return {
    entry,
    run(shape, prepare) {
      const result = turn.then(() => runOnce(session, entry, shape, prepare))
      turn = result.catch(() => undefined)
      return result
    },
    async close() {
      await turn
      await session.release()
    },
  }
}

async function runOnce(
  session: InferenceSession,
  entry: ModelEntry,
  shape: readonly number[],
  prepare: () => Float32Array | Uint8Array,
): Promise<ModelOutputs> {
  const input = prepare()
  const tensor =
    input instanceof Float32Array ? new Tensor('float32', input, shape) : new Tensor('uint8', input, shape)
  const results = await session.run({ [entry.input.name]: tensor }).catch((cause: unknown) => {
    throw new RoadveilError('ERR_DETECTION_FAILED', `${entry.role}: the network did not run`, { cause })
  })
  const outputs: Record<string, Float32Array> = {}
  for (const { name } of entry.outputs) {
    const data = results[name]?.data
    if (!(data instanceof Float32Array)) {
      throw new RoadveilError('ERR_DETECTION_FAILED', `${entry.role}: the network gave no ${name}`)
    }
    assertFinite(data, entry.role)
    outputs[name] = data
  }
  return outputs
}

/**
 * Refuses outputs that hold NaN or infinity: a network that computes nonsense has checked nothing.
 *
 * @throws ERR_DETECTION_FAILED
 */
export function assertFinite(values: Float32Array, role: string): void {
  // x * 0 is 0 for every finite x and NaN for the rest, and NaN stays: one multiplication a value, no branches.
  let sum = 0
  // By index: an iterator over a typed array is several times slower.
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? 0) * 0
  if (sum !== 0)
    throw new RoadveilError('ERR_DETECTION_FAILED', `${role}: the network's output is not finite`)
}

function checkShapes(entry: ModelEntry, session: InferenceSession): void {
  const wanted = [
    { ...entry.input, kind: 'input' },
    ...entry.outputs.map((output) => ({ ...output, type: 'float32', kind: 'output' })),
  ]
  const given = [...session.inputMetadata, ...session.outputMetadata]
  if (given.length !== wanted.length) {
    throw new RoadveilError(
      'ERR_MODEL_SHAPE',
      `${entry.file} has ${given.length} inputs and outputs, not ${wanted.length}`,
    )
  }
  for (const { kind, name, type, shape } of wanted) {
    const found = given.find((value) => value.name === name)
    if (!found?.isTensor || found.type !== type || !sameShape(shape, found.shape)) {
      const has = found?.isTensor ? `${found.type} ${found.shape.join('x')}` : 'nothing'
      throw new RoadveilError(
        'ERR_MODEL_SHAPE',
        `${entry.file}: ${kind} ${name} should be ${type} ${shape.join('x')}, the file has ${has}`,
      )
    }
  }
}

/** A number must be that number; a name stands for any size that the network leaves open, whatever it calls it. */
function sameShape(wanted: readonly (number | string)[], given: readonly (number | string)[]): boolean {
  return (
    wanted.length === given.length &&
    wanted.every((size, axis) =>
      typeof size === 'number' ? given[axis] === size : typeof given[axis] === 'string',
    )
  )
}
