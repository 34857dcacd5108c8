import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { type ModelEntry, type ModelSource, resolveModelFile } from './manifest.ts'

/** Whether a network is there, and the right one. */
export interface ModelState {
  readonly role: string
  readonly file: string
  readonly path: string | null
  readonly bytes: number
  readonly sha256: string
  readonly licence: string
  readonly state: 'ok' | 'missing' | 'wrong'
}

/** Compares every network with the manifest that pins it. */
export async function modelStates({ directory, manifest }: ModelSource): Promise<ModelState[]> {
  return Promise.all(manifest.models.map(async (entry) => stateOf(entry, directory)))
}

async function stateOf(entry: ModelEntry, directory: string): Promise<ModelState> {
  const { role, file, bytes, sha256, licence } = entry
  const path = await resolveModelFile(entry, directory).catch(() => null)
  if (path === null) return { role, file, path, bytes, sha256, licence, state: 'missing' }
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { role, file, path, bytes, sha256, licence, state: hash.digest('hex') === sha256 ? 'ok' : 'wrong' }
}
