import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { MAX_CHUNK_BYTES } from '../../../src/protocol/limits.ts'
import type { SealedParts } from '../../../src/store/evidence.ts'
import { openStore } from '../../../src/store/open.ts'

const BYTES = 5 * 1024 * 1024
const TIMES = 15

/** Milliseconds, medians of many, taken in turns so that both meet the same disk. */
export interface CommitTimes {
  readonly commitMs: number
  /** Moving the log on, after the evidence is acknowledged. */
  readonly afterwardsMs: number
  readonly fileMs: number
}

/** Commits evidence of 5 MB, and writes as many bytes into a file and syncs it. */
export async function measureCommit(directory: string): Promise<CommitTimes> {
  using store = openStore({
    file: join(directory, 'commit', 'store.db'),
    key: randomBytes(32),
    maxSizeMiB: 1024,
    deviceId: 'box-1',
  })
  const commits: number[] = []
  const afterwards: number[] = []
  const files: number[] = []
  for (let index = 0; index < TIMES; index++) {
    const sealed = noise(BYTES)
    const at = Date.now()
    commits.push(
      timed(() => store.evidence.commit(sealed, { camera: 'cam-1', ruleId: 'rule', judgedAt: at, at })),
    )
    const committedAt = performance.now()
    await setImmediate()
    afterwards.push(performance.now() - committedAt)
    files.push(timed(() => writeSynced(join(directory, 'plain'), sealed.chunks)))
    rmSync(join(directory, 'plain'))
  }
  return { commitMs: median(commits), afterwardsMs: median(afterwards), fileMs: median(files) }
}

/** What ciphertext looks like; no city would accept it. */
export function noise(length: number): SealedParts {
  const bytes = randomBytes(length)
  const chunks = Array.from({ length: Math.ceil(length / MAX_CHUNK_BYTES) }, (_, index) =>
    bytes.subarray(index * MAX_CHUNK_BYTES, (index + 1) * MAX_CHUNK_BYTES),
  )
  const ciphertextSha256 = createHash('sha256').update(bytes).digest('hex')
  return { evidenceId: randomUUID(), manifest: randomBytes(5_000), ciphertextSha256, chunks }
}

function writeSynced(file: string, chunks: readonly Uint8Array[]): void {
  const descriptor = openSync(file, 'wx')
  for (const chunk of chunks) writeSync(descriptor, chunk)
  fsyncSync(descriptor)
  closeSync(descriptor)
}

function timed(work: () => void): number {
  const beganAt = performance.now()
  work()
  return performance.now() - beganAt
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}
