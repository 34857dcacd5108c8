import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ModelSource } from '../detection/manifest.ts'
import type { RedactedEvidence } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import type { EvidenceJob, WorkerAnswer } from './evidence-worker.ts'

/** Builds evidence in a thread of its own, one violation after the other. */
export interface EvidenceBuilder extends AsyncDisposable {
  /**
   * @throws RoadveilError as `buildEvidence` does, and ERR_EVIDENCE_TIMEOUT or ERR_REDACTION_UNCHECKED when the thread
   *   hangs or dies; it is started afresh then
   */
  build(job: EvidenceJob): Promise<RedactedEvidence>
}

/** Many times what one clip takes; a thread that is still busy then hangs. */
const TIMEOUT_MS = 180_000

/**
 * Starts the builder and waits until its networks are loaded, so that a wrong model is found at the start.
 *
 * @throws RoadveilError ERR_MODEL_* from the thread
 */
export async function openEvidenceBuilder(models: ModelSource): Promise<EvidenceBuilder> {
  let worker = await startWorker(models)
  let turn: Promise<unknown> = Promise.resolve()
  let closed = false

  const restart = async (): Promise<void> => {
    await worker.terminate()
    if (!closed) worker = await startWorker(models)
  }
  const buildNow = async (job: EvidenceJob): Promise<RedactedEvidence> => {
    const answer = await ask(worker, job).catch(async (error: unknown) => {
      await restart()
      throw error
    })
    if (answer.type === 'built') return { facts: answer.facts, files: answer.files }
    if (answer.type === 'failed') throw new RoadveilError(answer.code, answer.message)
    throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'the evidence builder gave no answer')
  }
  return {
    build(job) {
      const result = turn.then(() => buildNow(job))
      turn = result.catch(() => undefined)
      return result
    },
    async [Symbol.asyncDispose]() {
      closed = true
      await worker.terminate()
    },
  }
}

async function startWorker(models: ModelSource): Promise<Worker> {
  const file = new URL(`./evidence-worker${extname(import.meta.filename)}`, import.meta.url)
  const worker = new Worker(file, { workerData: models })
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', reject)
    worker.once('exit', () =>
      reject(new RoadveilError('ERR_DETECTION_FAILED', 'the evidence builder did not start')),
    )
  }).finally(() => worker.removeAllListeners())
  return worker
}

async function ask(worker: Worker, job: EvidenceJob): Promise<WorkerAnswer> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<WorkerAnswer>((resolve, reject) => {
      const died = (): void =>
        reject(new RoadveilError('ERR_REDACTION_UNCHECKED', 'the evidence builder died'))
      worker.once('message', resolve)
      worker.once('error', died)
      worker.once('exit', died)
      timer = setTimeout(
        () => reject(new RoadveilError('ERR_EVIDENCE_TIMEOUT', 'the evidence was not finished in time')),
        TIMEOUT_MS,
      )
      worker.postMessage(job)
    })
  } finally {
    clearTimeout(timer)
    worker.removeAllListeners()
  }
}
