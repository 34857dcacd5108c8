import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RoadveilError, isRoadveilError } from '../errors.ts'
import type { ModelEntry, ModelManifest } from './manifest.ts'

const STALL_MS = 30_000

export interface PullOptions {
  /** How to fetch; the global `fetch` unless told. */
  readonly fetch?: typeof fetch
  /** Called as a file grows; `bytes` of `entry.bytes` are here. */
  readonly onProgress?: (entry: ModelEntry, bytes: number) => void
  readonly signal?: AbortSignal
}

/** What became of one model. */
export interface PulledModel {
  readonly entry: ModelEntry
  readonly file: string
  readonly outcome: 'present' | 'downloaded'
}

/**
 * Downloads the manifest's networks that the folder lacks or holds in another version, one after the other.
 *
 * A file appears under its name only when its size and SHA-256 are the manifest's, so a broken download leaves nothing.
 *
 * @throws ERR_MODEL_DOWNLOAD where the address does not answer, answers with too little or too much, or stalls for 30 s
 * @throws ERR_MODEL_HASH where it answers with another file
 */
export async function pullModels(
  manifest: ModelManifest,
  directory: string,
  options: PullOptions = {},
): Promise<readonly PulledModel[]> {
  await mkdir(directory, { recursive: true })
  const pulled: PulledModel[] = []
  for (const entry of manifest.models) {
    const file = join(directory, entry.file)
    const present = await readFile(file).catch(() => undefined)
    if (present && sha256(present) === entry.sha256) {
      pulled.push({ entry, file, outcome: 'present' })
      continue
    }
    const content = await download(entry, options)
    if (sha256(content) !== entry.sha256) {
      throw new RoadveilError('ERR_MODEL_HASH', `${entry.source} is not the file in the manifest`)
    }
    const unfinished = `${file}.${randomUUID()}.part`
    try {
      await writeFile(unfinished, content, { flag: 'wx', flush: true })
      await rename(unfinished, file)
    } finally {
      await rm(unfinished, { force: true })
    }
    pulled.push({ entry, file, outcome: 'downloaded' })
  }
  return pulled
}

async function download(entry: ModelEntry, options: PullOptions): Promise<Buffer> {
  const { fetch: get = fetch, onProgress, signal } = options
  const stall = new AbortController()
  const watch = setTimeout(() => stall.abort(new Error('nothing came for 30 s')), STALL_MS)
  try {
    const response = await get(entry.source, {
      signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal,
    })
    if (!response.ok || !response.body) throw failed(entry, `answers ${response.status}`)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      watch.refresh()
      chunks.push(chunk)
      bytes += chunk.length
      // Leaving the loop cancels the body: no more is read than the file has.
      if (bytes > entry.bytes) throw failed(entry, `answers with more than ${entry.bytes} bytes`)
      onProgress?.(entry, bytes)
    }
    if (bytes < entry.bytes) throw failed(entry, `answers with ${bytes} bytes instead of ${entry.bytes}`)
    return Buffer.concat(chunks)
  } catch (cause) {
    if (isRoadveilError(cause)) throw cause
    signal?.throwIfAborted()
    throw failed(entry, 'cannot be fetched', cause)
  } finally {
    clearTimeout(watch)
  }
}

function failed(entry: ModelEntry, what: string, cause?: unknown): RoadveilError {
  return new RoadveilError('ERR_MODEL_DOWNLOAD', `${entry.source} ${what}`, { cause })
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
