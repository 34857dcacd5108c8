import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { PacketClip } from '../camera/packet-ring.ts'
import type { ModelSource } from '../models/manifest.ts'
import type { EvidenceFacts, EvidenceFile } from '../domain/evidence.ts'
import type { PathPoint } from '../domain/track.ts'
import { type ErrorCode, RoadveilError, isRoadveilError } from '../errors.ts'
import { type EvidenceRequest, buildEvidence } from '../evidence/build.ts'
import type { EvidenceDeps } from '../evidence/check.ts'
import { type Footage, footageOf } from '../evidence/footage.ts'
import type { Span } from '../evidence/spans.ts'
import { createLogger } from '../log.ts'
import { openEvidenceNetworks } from './evidence-networks.ts'
import type { SelftestFigures } from './selftest/figures.ts'
import { runSelftest } from './selftest/run.ts'

/**
 * The thread that builds evidence: it has networks of its own and a low priority, so that live analysis goes on while
 * full-size frames are searched and redacted.
 */

/** A piece of compressed video and the part of it that counts. */
export interface Piece {
  readonly span: Span
  readonly clip: PacketClip
}

/** One violation to build evidence of, with the video up to its judgement. */
export interface EvidenceJob extends Omit<EvidenceRequest, 'footage' | 'aftermath'> {
  readonly pieces: readonly Piece[]
}

/** The time after the judgement: the last piece, if the camera went on, and the whole path. */
export interface JobAftermath {
  readonly piece?: Piece
  readonly path: readonly PathPoint[]
}

export type WorkerRequest =
  | { readonly type: 'job'; readonly job: EvidenceJob }
  | { readonly type: 'selftest'; readonly minConfidence: number }
  | { readonly type: 'aftermath'; readonly aftermath: JobAftermath }
  /** There will be no aftermath: Roadveil is being stopped. */
  | { readonly type: 'abandon' }

export type WorkerAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'built'; readonly facts: EvidenceFacts; readonly files: readonly EvidenceFile[] }
  | { readonly type: 'tested'; readonly figures: SelftestFigures }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }

const NICE = 5

async function build(
  job: EvidenceJob,
  aftermath: Promise<JobAftermath>,
  deps: EvidenceDeps,
): Promise<WorkerAnswer> {
  const { pieces, ...request } = job
  const open = ({ span, clip }: Piece): Footage =>
    footageOf(clip, span, { fps: job.fps, cameraId: job.camera.id })
  const after = aftermath.then(({ piece, path }) => ({
    path,
    ...(piece ? { footage: open(piece) } : {}),
  }))
  // It may be abandoned while nobody waits for it yet.
  after.catch(() => undefined)
  try {
    const whole = { ...request, footage: pieces.map(open), aftermath: after }
    const { facts, files } = await buildEvidence(whole, deps, new AbortController().signal)
    return { type: 'built', facts, files }
  } catch (error) {
    return failed(error)
  }
}

async function selftest(
  models: ModelSource,
  networks: EvidenceDeps,
  minConfidence: number,
): Promise<WorkerAnswer> {
  try {
    const logger = createLogger({ process: 'vision', level: 'error' })
    const deps = { models, networks, minConfidence, logger }
    return { type: 'tested', figures: await runSelftest(deps, new AbortController().signal) }
  } catch (error) {
    return failed(error)
  }
}

function failed(error: unknown): WorkerAnswer {
  // The message of a foreign error may hold anything; only the code goes on.
  if (isRoadveilError(error)) return { type: 'failed', code: error.code, message: error.message }
  return { type: 'failed', code: 'ERR_REDACTION_UNCHECKED', message: 'the evidence builder failed' }
}

/** This thread's id in the kernel, so that its priority can be lowered without the rest of the process. */
function lowerPriority(): void {
  const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  if (Number.isInteger(tid)) setPriority(tid, NICE)
}

const port = parentPort
if (!port) throw new TypeError('evidence-worker runs as a worker thread only')
lowerPriority()
const models = workerData as ModelSource
const deps = await openEvidenceNetworks(models)
let aftermath = Promise.withResolvers<JobAftermath>()
port.on('message', (request: WorkerRequest) => {
  switch (request.type) {
    case 'job':
      aftermath = Promise.withResolvers<JobAftermath>()
      // Answers are copied, not transferred: the encoders' buffers belong to native code and cannot be handed over.
      void build(request.job, aftermath.promise, deps).then((answer) => port.postMessage(answer))
      return
    case 'selftest':
      void selftest(models, deps, request.minConfidence).then((answer) => port.postMessage(answer))
      return
    case 'aftermath':
      aftermath.resolve(request.aftermath)
      return
    case 'abandon':
      aftermath.reject(new RoadveilError('ERR_STOPPED', 'Roadveil was stopped before the violation was over'))
  }
})
port.postMessage({ type: 'ready' } satisfies WorkerAnswer)
