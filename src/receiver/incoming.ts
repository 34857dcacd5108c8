import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { isEvidenceId, isSlug } from '../protocol/topics.ts'
import { type Manifest, verifyManifest } from '../sealing/manifest.ts'
import { sha256Hex } from '../sealing/seal.ts'
import type { DeviceKeys } from './devices.ts'
import { makeFolder, readIfThere } from './files.ts'

/** Evidence that was announced and is not complete. Ciphertext only: nothing of it was opened. */
export interface Assembly {
  readonly manifest: Manifest
  /** The signed manifest. */
  readonly envelope: Uint8Array
  /** Indexes of the chunks that are missing, ascending. */
  missing(): number[]
}

export interface IncomingLimits {
  readonly maxAssemblies: number
  /** Of one device, whose longest silent one makes room for a new one: the forwarder has six under way. */
  readonly maxPerDevice: number
  /** Ciphertext of all together. */
  readonly maxBytes: number
  /** Beyond this an assembly that got nothing is thrown away: its box announces it again. */
  readonly maxAgeMs: number
  /** An assembly that got nothing for this long makes room for a new one. */
  readonly idleMs: number
}

export const DEFAULT_INCOMING_LIMITS: IncomingLimits = {
  maxAssemblies: 1000,
  maxPerDevice: 16,
  maxBytes: 4 * 1024 ** 3,
  maxAgeMs: 86_400_000,
  idleMs: 600_000,
}

/** The assemblies on disk, so that a restart goes on where it stopped. */
export interface Incoming {
  /** Reads what an earlier run left; what is damaged is thrown away. */
  load(): Promise<void>
  all(): Iterable<Assembly>
  find(device: string, evidenceId: string): Assembly | undefined
  /** Begins an assembly, in the place of another one under the same id. Throws ERR_ASSEMBLY_LIMIT. */
  begin(manifest: Manifest, envelope: Uint8Array): Promise<Assembly>
  /** Takes a chunk. Throws ERR_CHUNK_UNEXPECTED, ERR_CHUNK_CHANGED when it is not the one that was signed. */
  add(assembly: Assembly, index: number, bytes: Uint8Array): Promise<void>
  /** The ciphertext, once nothing is missing. */
  ciphertext(assembly: Assembly): Promise<Buffer>
  remove(assembly: Assembly): Promise<void>
}

interface Entry extends Assembly {
  readonly folder: string
  readonly have: Set<number>
  touchedAt: number
}

const MANIFEST_FILE = 'manifest.dsse.json'
const chunkFile = (folder: string, index: number): string => join(folder, `chunk-${index}`)
const nameOf = (device: string, evidenceId: string): string => join(device, evidenceId)

/** Creates the assemblies below a folder. Nothing is read or written before `load`. */
export function createIncoming(
  directory: string,
  deviceKeys: DeviceKeys,
  limits: IncomingLimits,
  now: () => number,
): Incoming {
  const entries = new Map<string, Entry>()

  const register = (manifest: Manifest, envelope: Uint8Array, have: Set<number>): Entry => {
    const name = nameOf(manifest.device, manifest.evidenceId)
    const missing = (): number[] => [...manifest.chunks.keys()].filter((index) => !have.has(index))
    const entry = { manifest, envelope, folder: join(directory, name), have, missing, touchedAt: now() }
    entries.set(name, entry)
    return entry
  }

  const drop = async ({ folder, manifest }: Entry): Promise<void> => {
    entries.delete(nameOf(manifest.device, manifest.evidenceId))
    await rm(folder, { recursive: true, force: true })
  }

  const entryOf = ({ manifest }: Assembly): Entry => {
    const entry = entries.get(nameOf(manifest.device, manifest.evidenceId))
    if (entry?.manifest !== manifest) throw new RoadveilError('ERR_CHUNK_UNEXPECTED', 'the assembly is gone')
    return entry
  }

  /**
   * Makes room by throwing away what has been silent for long, or refuses. Of the same device the longest silent goes at any time:
   * parts that never come, such as those that a broker refuses, must not keep the rest of the device's evidence out.
   */
  const makeRoom = async (manifest: Manifest): Promise<void> => {
    const oldestFirst = [...entries.values()].sort((a, b) => a.touchedAt - b.touchedAt)
    let ofDevice = oldestFirst.filter((each) => each.manifest.device === manifest.device).length
    for (const entry of oldestFirst) {
      const isSurplus = entry.manifest.device === manifest.device && ofDevice >= limits.maxPerDevice
      if (isSurplus) ofDevice -= 1
      if (isSurplus || now() - entry.touchedAt > limits.maxAgeMs) await drop(entry)
    }
    const full = (): boolean => {
      const all = [...entries.values()]
      const bytes = all.reduce((sum, each) => sum + each.manifest.ciphertextBytes, manifest.ciphertextBytes)
      return all.length >= limits.maxAssemblies || bytes > limits.maxBytes
    }
    for (const entry of oldestFirst) {
      if (!full()) return
      if (now() - entry.touchedAt > limits.idleMs) await drop(entry)
    }
    if (full()) throw new RoadveilError('ERR_ASSEMBLY_LIMIT', 'too much evidence is coming in at once')
  }

  const restore = async (device: string, evidenceId: string): Promise<void> => {
    const folder = join(directory, device, evidenceId)
    try {
      const envelope = await readIfThere(join(folder, MANIFEST_FILE))
      if (!envelope || !isSlug(device) || !isEvidenceId(evidenceId)) throw damaged()
      const manifest = verifyManifest(envelope, { deviceId: device, deviceKeys: deviceKeys(device) })
      if (manifest.evidenceId !== evidenceId) throw damaged()
      const have = new Set<number>()
      for (const [index, sha256] of manifest.chunks.entries()) {
        // Chunks are not synced one by one: a power cut may have left half of one.
        const bytes = await readIfThere(chunkFile(folder, index))
        if (bytes && sha256Hex(bytes) === sha256) have.add(index)
      }
      register(manifest, envelope, have)
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      await rm(folder, { recursive: true, force: true })
    }
  }

  return {
    async load() {
      await makeFolder(directory)
      for (const device of await foldersIn(directory)) {
        for (const evidenceId of await foldersIn(join(directory, device))) await restore(device, evidenceId)
      }
    },
    all: () => entries.values(),
    find: (device, evidenceId) => entries.get(nameOf(device, evidenceId)),
    async begin(manifest, envelope) {
      const before = entries.get(nameOf(manifest.device, manifest.evidenceId))
      if (before) await drop(before)
      await makeRoom(manifest)
      const entry = register(manifest, envelope, new Set())
      await rm(entry.folder, { recursive: true, force: true })
      await mkdir(entry.folder, { recursive: true, mode: 0o700 })
      await writeFile(join(entry.folder, MANIFEST_FILE), envelope, { mode: 0o600 })
      return entry
    },
    async add(assembly, index, bytes) {
      const entry = entryOf(assembly)
      const sha256 = entry.manifest.chunks[index]
      if (sha256 === undefined) throw new RoadveilError('ERR_CHUNK_UNEXPECTED', `there is no chunk ${index}`)
      if (sha256Hex(bytes) !== sha256) {
        throw new RoadveilError('ERR_CHUNK_CHANGED', `chunk ${index} is not the one that was signed`)
      }
      if (entry.have.has(index)) return
      await writeFile(chunkFile(entry.folder, index), bytes, { mode: 0o600 })
      entry.have.add(index)
      entry.touchedAt = now()
    },
    async ciphertext(assembly) {
      const { folder, manifest } = entryOf(assembly)
      const files = [...manifest.chunks.keys()].map((index) => readFile(chunkFile(folder, index)))
      return Buffer.concat(await Promise.all(files))
    },
    async remove(assembly) {
      const entry = entryOf(assembly)
      await drop(entry)
      await removeIfEmpty(dirname(entry.folder))
    },
  }
}

function damaged(): RoadveilError {
  return new RoadveilError('ERR_MANIFEST_MISMATCH', 'what an earlier run left is not whole')
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

async function removeIfEmpty(folder: string): Promise<void> {
  if ((await readdir(folder)).length === 0) await rm(folder, { recursive: true })
}
