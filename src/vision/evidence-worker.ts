import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { PacketClip } from '../camera/packet-ring.ts'
import { decodeFrames } from '../camera/decode.ts'
import { openFaceDetector } from '../detection/faces.ts'
import type { ModelSource } from '../detection/manifest.ts'
import { openObjectDetector } from '../detection/objects.ts'
import { openPlateTextNetwork } from '../detection/plate-text.ts'
import { openPlateDetector } from '../detection/plates.ts'
import type { EvidenceFacts, EvidenceFile } from '../domain/evidence.ts'
import { type EvidenceRequest, buildEvidence } from '../evidence/build.ts'
import type { EvidenceDeps } from '../evidence/check.ts'
import type { Span } from '../evidence/spans.ts'
import { type ErrorCode, isRoadveilError } from '../errors.ts'

/**
 * The thread that builds evidence: it has networks of its own and a low priority, so that live analysis goes on while
 * full-size frames are searched and redacted.
 */

/** One violation to build evidence of, with its compressed video. */
export interface EvidenceJob extends Omit<EvidenceRequest, 'footage'> {
  readonly clips: readonly { readonly span: Span; readonly clip: PacketClip }[]
}

export type WorkerAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'built'; readonly facts: EvidenceFacts; readonly files: readonly EvidenceFile[] }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }

const NICE = 10

async function openDeps(models: ModelSource): Promise<EvidenceDeps> {
  return {
    detectors: {
      objects: await openObjectDetector(models),
      faces: await openFaceDetector(models),
      plates: await openPlateDetector(models, 'plates'),
      platesClose: await openPlateDetector(models, 'plates-small'),
    },
    plateText: await openPlateTextNetwork(models),
  }
}

async function build(job: EvidenceJob, deps: EvidenceDeps): Promise<WorkerAnswer> {
  const { clips, ...request } = job
  const footage = clips.map(({ span, clip }) => ({
    span,
    frames: (signal: AbortSignal) =>
      decodeFrames(clip, { fps: job.fps, from: span.from, to: span.to, cameraId: job.camera.id }, signal),
  }))
  try {
    const { facts, files } = await buildEvidence({ ...request, footage }, deps, new AbortController().signal)
    return { type: 'built', facts, files }
  } catch (error) {
    // The message of a foreign error may hold anything; only the code goes on.
    if (isRoadveilError(error)) return { type: 'failed', code: error.code, message: error.message }
    return { type: 'failed', code: 'ERR_REDACTION_UNCHECKED', message: 'the evidence builder failed' }
  }
}

/** This thread's id in the kernel, so that its priority can be lowered without the rest of the process. */
function lowerPriority(): void {
  const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  if (Number.isInteger(tid)) setPriority(tid, NICE)
}

const port = parentPort
if (!port) throw new TypeError('evidence-worker runs as a worker thread only')
lowerPriority()
const deps = await openDeps(workerData as ModelSource)
// Answers are copied, not transferred: the encoders' buffers belong to native code and cannot be handed over.
port.on('message', (job: EvidenceJob) => void build(job, deps).then((answer) => port.postMessage(answer)))
port.postMessage({ type: 'ready' } satisfies WorkerAnswer)
