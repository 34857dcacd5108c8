import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ModelSource } from '../models/manifest.ts'
import type { RedactedEvidence } from '../domain/evidence.ts'
import { ERRORS, type ErrorCode, RoadveilError, isRoadveilError } from '../errors.ts'
import type { EvidenceJob, JobAftermath, WorkerAnswer, WorkerRequest } from './evidence-worker.ts'
import type { SelftestFigures } from './selftest/figures.ts'

/** Builds evidence in a thread of its own, one violation after the other. */
export interface EvidenceBuilder extends AsyncDisposable {
  /**
   * Builds one evidence when it is its turn; the aftermath may come later. An abort takes it out of the queue; what is
   * being built is finished.
   *
   * @throws RoadveilError as `buildEvidence` does, and ERR_EVIDENCE_TIMEOUT or ERR_REDACTION_UNCHECKED when the thread
   *   hangs or dies; it is started afresh then
   */
  build(job: EvidenceJob, aftermath: Promise<JobAftermath>, signal: AbortSignal): Promise<RedactedEvidence>
  /**
   * Runs the built-in clip through the networks, in its turn.
   *
   * @param minConfidence for the plate's text, 0-1
   * @throws RoadveilError as `runSelftest` does, and as `build` when the thread hangs or dies
   */
  selftest(minConfidence: number): Promise<SelftestFigures>
}

/** Many times what one clip takes; a thread that is still busy then hangs. */
const BUILD_TIMEOUT_MS = 180_000
/** Nothing waits for the self-test but violations, and a slow box must not be taken for one with wrong networks. */
const SELFTEST_TIMEOUT_MS = 900_000

/**
 * Starts the builder and waits until its networks are loaded, so that a wrong model is found at the start.
 *
 * @throws RoadveilError ERR_MODEL_* from the thread; ERR_INSTALLATION when a package cannot be loaded
 */
export async function openEvidenceBuilder(models: ModelSource): Promise<EvidenceBuilder> {
  let worker: Worker | undefined
  let turn: Promise<unknown> = Promise.resolve()

  /** The thread, started afresh where the last one hung or died. */
  const liveWorker = async (): Promise<Worker> => {
    if (worker) return worker
    const started = await startWorker(models)
    started.once('exit', () => {
      if (worker === started) worker = undefined
    })
    return (worker = started)
  }
  const askNow = async <T extends WorkerAnswer['type']>(
    wanted: T,
    request: WorkerRequest,
    aftermath?: Promise<JobAftermath>,
  ): Promise<WorkerAnswer & { type: T }> => {
    const thread = await liveWorker()
    const answer = await ask(thread, request, aftermath).catch(async (error: unknown) => {
      worker = undefined
      await thread.terminate()
      throw error
    })
    if (answer.type === 'failed') throw new RoadveilError(answer.code, answer.message)
    if (answer.type !== wanted)
      throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'the evidence builder gave no answer')
    return answer as WorkerAnswer & { type: T }
  }
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }
  await liveWorker()
  return {
    build(job, aftermath, signal) {
      return inTurn(async () => {
        signal.throwIfAborted()
        const { facts, files } = await askNow('built', { type: 'job', job }, aftermath)
        return { facts, files }
      })
    },
    selftest(minConfidence) {
      return inTurn(async () => (await askNow('tested', { type: 'selftest', minConfidence })).figures)
    },
    async [Symbol.asyncDispose]() {
      await worker?.terminate()
    },
  }
}

async function startWorker(models: ModelSource): Promise<Worker> {
  const file = new URL(`./evidence-worker${extname(import.meta.filename)}`, import.meta.url)
  const worker = new Worker(file, { workerData: models })
  // Whoever waits for a message hears of it; a thread that dies while it is idle must not take the process with it.
  worker.on('error', () => undefined)
  await nextMessage(worker).catch((error: unknown) => {
    throw loadFault(error)
  })
  return worker
}

/** No picture was near the thread yet, so the first line of what a package says can be told. */
function loadFault(error: unknown): unknown {
  const cause = isRoadveilError(error) ? error.cause : undefined
  if (!(cause instanceof Error)) return error
  const [said] = cause.message.split('\n')
  return new RoadveilError('ERR_INSTALLATION', `the evidence thread cannot be started: ${said}`, { cause })
}

async function ask(
  worker: Worker,
  request: WorkerRequest,
  aftermath?: Promise<JobAftermath>,
): Promise<WorkerAnswer> {
  let answered = false
  // What comes after the answer is of a job that is over: the worker would take it for the next job's.
  const post = (request: WorkerRequest): void => {
    if (!answered) worker.postMessage(request)
  }
  const timeout = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => timeout.reject(new RoadveilError('ERR_EVIDENCE_TIMEOUT', 'the evidence was not finished in time')),
    request.type === 'selftest' ? SELFTEST_TIMEOUT_MS : BUILD_TIMEOUT_MS,
  )
  try {
    const answer = nextMessage(worker)
    post(request)
    aftermath?.then(
      (value) => post({ type: 'aftermath', aftermath: value }),
      () => post({ type: 'abandon' }),
    )
    return await Promise.race([answer, timeout.promise])
  } finally {
    answered = true
    clearTimeout(timer)
  }
}

/** The worker's next message; rejects with its error, or when it exits without one. */
async function nextMessage(worker: Worker): Promise<WorkerAnswer> {
  const over = new AbortController()
  const { signal } = over
  try {
    // Never `removeAllListeners` on a worker: its own listeners go too, and it falls silent.
    return await Promise.race([
      once(worker, 'message', { signal }).then(([message]) => message as WorkerAnswer),
      once(worker, 'exit', { signal }).then((): never => {
        throw new RoadveilError('ERR_REDACTION_UNCHECKED', 'the evidence builder ended')
      }),
    ])
  } catch (error) {
    // An error from another thread is a copy and has lost its class; its code is what counts.
    throw isRoadveilError(error) ? error : revive(error)
  } finally {
    over.abort()
  }
}

function revive(error: unknown): RoadveilError {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  if (error instanceof Error && Object.hasOwn(ERRORS, code))
    return new RoadveilError(code as ErrorCode, error.message)
  return new RoadveilError('ERR_REDACTION_UNCHECKED', 'the evidence builder died', { cause: error })
}
